export type {
  ChildOptions,
  CommonStepOptions,
  RetryPolicy,
  SagaContext,
  SignalOptions,
  StepCall,
  StepOptions,
  StepUndo,
  TransactionStepOptions,
  Verdict,
} from './context.ts'
export { createSagas, type SagaHandle, type Sagas, type SagasOptions } from './create-sagas.ts'
export {
  defineSaga,
  type InputSchema,
  type Migration,
  type SagaDefinition,
  type SagaOptions,
} from './definition.ts'
export { SagaError, type SagaErrorCode, SagaFailure, type StoredError } from './errors.ts'
export type { SagaEvents } from './events.ts'
export type { Feed, ProgressEvent, SagaProgress } from './feed.ts'
export type { Flow } from './flow.ts'
export type { Outcome, WaitOptions } from './outcome.ts'
export type {
  ListOptions,
  SagaDetails,
  SagaOperator,
  SagaSummary,
  StepDetails,
  VersionReport,
} from './saga-report.ts'
export type { SagaState } from './saga-state.ts'
export type { Schedule } from './schedules.ts'
export { sagaSchema } from './schema.ts'
export type { StartOptions } from './start.ts'
export type { Worker, WorkerMetrics, WorkerOptions } from './worker-options.ts'
