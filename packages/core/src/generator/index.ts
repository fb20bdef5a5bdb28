export { serveGenerator } from './serve-generator.ts'
export { toMetadata } from './to-metadata.ts'
