export { defineConfig, type OrgdbConfig } from './config.ts'
export { type CliHost, exitCodes } from './host.ts'
export { runCli } from './run-cli.ts'
