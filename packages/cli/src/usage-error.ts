/** The command line makes no sense; the message says why. */
export class UsageError extends Error {}

/** What was asked for is refused by the command line itself. */
export class RefusedError extends Error {}
