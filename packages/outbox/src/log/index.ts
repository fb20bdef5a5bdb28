export type { LogRelayOptions } from './log-options.ts'
export { createLogRelay, type LogRelay, type LogRelayStatus } from './log-relay.ts'
export type { SlotState } from './log-slot.ts'
