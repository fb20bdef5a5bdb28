import type {
  ChildOptions,
  SagaContext,
  SignalOptions,
  StepCall,
  StepOptions,
  StepUndo,
  TransactionStepOptions,
  Verdict,
} from './context.ts'
import type { SagaDefinition } from './definition.ts'

/** What every step of a list sees. */
export interface Given<Input, Results> {
  readonly input: Input
  /** What the steps before have returned, by name. */
  readonly results: Results
  readonly id: string
}

/** A step of a list that calls somebody else. */
export interface CallStep<Input, Results, T> extends Omit<StepOptions<T>, 'compensate' | 'verify'> {
  readonly run: (call: StepCall & Given<Input, Results>) => Promise<T>
  /** As in `StepOptions`. */
  readonly compensate?: (undo: StepUndo<NoInfer<T>> & Given<Input, Results>) => Promise<void>
  /** As in `StepOptions`. */
  readonly verify?: (call: StepCall & Given<Input, Results>) => Promise<Verdict<NoInfer<T>>>
}

/** A step of a list that is a transaction. */
export interface TransactionStep<Input, Results, T> extends Omit<TransactionStepOptions<T>, 'compensate'> {
  readonly run: (call: StepCall & Given<Input, Results>) => Promise<T>
  /** As in `StepOptions`, in a transaction. */
  readonly compensate?: (undo: StepUndo<NoInfer<T>> & Given<Input, Results>) => Promise<void>
}

/** The steps of a saga as a list; each method returns a longer one. */
export interface Flow<Input, Results extends object> {
  /** As `SagaContext.step`. */
  call<Name extends string, T>(
    name: Name,
    step: CallStep<Input, Results, T>,
  ): Flow<Input, Results & { readonly [Key in Name]: T }>
  /** As `SagaContext.transaction`. */
  transaction<Name extends string, T>(
    name: Name,
    step: TransactionStep<Input, Results, T>,
  ): Flow<Input, Results & { readonly [Key in Name]: T }>
  /** Waits for a signal; its name is that of the step unless another is given. `payload` types what is told. */
  waitForSignal<Name extends string, T = unknown>(
    name: Name,
    options?: SignalOptions<T> & { readonly signal?: string },
  ): Flow<Input, Results & { readonly [Key in Name]: T | undefined }>
  /** Waits for so many milliseconds, or until a time. */
  sleep(
    name: string,
    until: number | Date | ((given: Given<Input, Results>) => number | Date),
  ): Flow<Input, Results>
  /** Branches that run at the same time. */
  parallel<Branches extends readonly object[]>(
    ...branches: {
      readonly [At in keyof Branches]: (flow: Flow<Input, Results>) => Flow<Input, Branches[At] & object>
    }
  ): Flow<Input, Results & Joined<Branches>>
  /** Another saga as a step. */
  child<Name extends string, ChildInput, Output>(
    name: Name,
    definition: SagaDefinition<ChildInput, Output>,
    input: (given: Given<Input, Results>) => ChildInput,
    options?: ChildOptions,
  ): Flow<Input, Results & { readonly [Key in Name]: Output }>
  /** From here on the saga only goes forward. */
  pivot(name: string): Flow<Input, Results>
  /** What the methods have put together. */
  readonly nodes: readonly FlowNode[]
}

/** The results of all branches. */
export type Joined<Branches extends readonly unknown[]> = Branches extends readonly [
  infer First,
  ...infer Rest,
]
  ? First & Joined<Rest>
  : object

type AnyGiven = Given<unknown, Readonly<Record<string, unknown>>>

/** One step of a list, or branches that begin together. */
export type FlowNode =
  | { readonly name: string; readonly perform: (context: SagaContext, given: AnyGiven) => Promise<unknown> }
  | { readonly branches: readonly (readonly FlowNode[])[] }

/** A list without steps, to begin with. */
export function newFlow(nodes: readonly FlowNode[] = []): Flow<unknown, object> {
  type Perform = (context: SagaContext, given: AnyGiven) => Promise<unknown>
  const and = (name: string, perform: Perform): never => newFlow([...nodes, { name, perform }]) as never
  const flow = {
    nodes,
    call: (name: string, { run, compensate, verify, ...rest }: CallStep<unknown, object, unknown>) =>
      and(name, (context, given) =>
        context.step(name, (call) => run({ ...given, ...call }), {
          ...rest,
          ...(compensate && { compensate: (undo) => compensate({ ...given, ...undo }) }),
          ...(verify && { verify: (call) => verify({ ...given, ...call }) }),
        }),
      ),
    transaction: (name: string, { run, compensate, ...rest }: TransactionStep<unknown, object, unknown>) =>
      and(name, (context, given) =>
        context.transaction(name, (call) => run({ ...given, ...call }), {
          ...rest,
          ...(compensate && { compensate: (undo) => compensate({ ...given, ...undo }) }),
        }),
      ),
    waitForSignal: (
      name: string,
      { signal = name, ...options }: SignalOptions & { readonly signal?: string } = {},
    ) => and(name, (context) => context.waitForSignal(name, signal, options)),
    sleep: (name: string, until: number | Date | ((given: AnyGiven) => number | Date)) =>
      and(name, (context, given) => context.sleep(name, typeof until === 'function' ? until(given) : until)),
    parallel: (...branches: readonly ((flow: Flow<unknown, object>) => Flow<unknown, object>)[]) =>
      newFlow([...nodes, { branches: branches.map((branch) => branch(newFlow()).nodes) }]) as never,
    child: (
      name: string,
      definition: SagaDefinition,
      input: (given: AnyGiven) => unknown,
      options?: ChildOptions,
    ) => and(name, (context, given) => context.child(name, definition, input(given), options)),
    pivot: (name: string) => and(name, (context) => context.pivot(name)),
  }
  return flow as unknown as Flow<unknown, object>
}

/** All names, in their order. */
export function stepNames(nodes: readonly FlowNode[]): readonly string[] {
  return nodes.flatMap((node) => ('branches' in node ? node.branches.flatMap(stepNames) : [node.name]))
}

/** Runs a list and returns the results by name. */
export async function runFlow(
  nodes: readonly FlowNode[],
  context: SagaContext,
  input: unknown,
): Promise<object> {
  return runNodes(nodes, context, { input, results: {}, id: context.id })
}

async function runNodes(nodes: readonly FlowNode[], context: SagaContext, given: AnyGiven): Promise<object> {
  let results: Readonly<Record<string, unknown>> = given.results
  for (const node of nodes) {
    const current = { ...given, results }
    if ('branches' in node) {
      const branches = node.branches.map((branch) => () => runNodes(branch, context, current))
      results = Object.assign({}, results, ...(await context.parallel(branches)))
    } else {
      const result = await node.perform(context, current)
      if (result !== undefined) results = { ...results, [node.name]: result }
    }
  }
  return results
}
