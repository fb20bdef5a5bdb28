export { type Aggregates, aggregates } from './aggregates.ts'
