/** A function of this file, as it is passed to the hooks. */
export type Callable = (client: Client, input: never, options?: CallOptions) => Promise<unknown>;
/** Its input. */
export type InputOf<F extends Callable> = NonNullable<Parameters<F>[1]>;
/** Its answer. */
export type AnswerOf<F extends Callable> = Awaited<ReturnType<F>>;

type Common = Pick<
  FunctionError,
  "message" | "attempts" | "requestId" | "outcomeUnknown" | "twilioErrorCode" | "twilioDocPage" | "cause"
>;

/**
 * Why a call failed. TypeScript narrows it by its status: after `error.status === 400` it knows
 * error.invalid. The value is a FunctionError.
 */
export type CallError = Common &
  (
    | { readonly status: 0 } // no answer: the network, a timeout, or no token
    | { readonly status: 400; readonly missing: FunctionError["missing"]; readonly invalid: FunctionError["invalid"] }
    | { readonly status: 403 } // the worker may not call
    | { readonly status: 429 | 503; readonly retryAfterMs: number | undefined } // try again later
    | { readonly status: OtherStatus }
  );

/** Statuses with nothing to add to the message. */
export type OtherStatus =
  | 200 // the answer was not a JSON object
  | 401 | 402 | 404 | 405 | 406 | 407 | 408 | 409 | 410 | 411 | 412 | 413 | 414 | 415 | 416 | 417 | 421 | 422 | 423
  | 424 | 425 | 426 | 428 | 431 | 451 | 500 | 501 | 502 | 504 | 505 | 506 | 507 | 508 | 510 | 511;

/** What useFunction returns. */
export interface Asked<O> {
  /** The last answer. It is kept while the next one is awaited, and if that fails. */
  readonly data: O | undefined;
  /** Why the last call failed; undefined after a success. */
  readonly error: CallError | undefined;
  /** Whether a call is under way. */
  readonly loading: boolean;
  /** Calls again, for every component that shows this answer. */
  readonly reload: () => void;
}

/**
 * Calls a function that only reads: when the component is shown, and whenever the values of the input change.
 * With null as the input it calls nothing. Components that ask for the same thing share one request and its
 * answer. The request is aborted once the last of them is gone.
 */
export function useFunction<F extends Callable>(fn: F, input: InputOf<F> | null): Asked<AnswerOf<F>> {
  type O = AnswerOf<F>;
  const calls = useCalls("useFunction");
  const key = input === null ? null : keyOf(input);
  const shown = (key === null ? undefined : (calls.asked.get(fn)?.get(key) as Question<O> | undefined))?.state;
  const [, see] = useState<unknown>(shown ?? waiting);
  const asks = useRef(input);
  useEffect(() => {
    asks.current = input;
  });
  useEffect(() => {
    const asked = asks.current;
    if (key === null || asked === null) return undefined;
    const question = calls.question(fn, key, (signal) => calls.call(fn, asked, { signal }));
    const listener = () => see(question.state);
    question.join(listener);
    listener(); // for what has happened since the render
    return () => question.leave(listener);
  }, [calls, fn, key]);
  const reload = useCallback(() => {
    if (key !== null) calls.asked.get(fn)?.get(key)?.ask();
  }, [calls, fn, key]);
  const { data, error, loading } = shown ?? (waiting as State<O>);
  return { data, error, loading: key !== null && loading, reload };
}

/** How a call ended. */
export type Outcome<O> = { readonly ok: true; readonly data: O } | { readonly ok: false; readonly error: CallError };

/** What useAction returns. */
export interface Action<F extends Callable> {
  /**
   * Calls the function. The promise never rejects. A second call with the same input, as after a double click,
   * joins the one that is under way.
   */
  readonly run: (input: InputOf<F>, options?: CallOptions) => Promise<Outcome<AnswerOf<F>>>;
  /** Whether a call is under way. */
  readonly running: boolean;
  /** The answer of the last call, if it succeeded. */
  readonly data: AnswerOf<F> | undefined;
  /** Why the last call failed. */
  readonly error: CallError | undefined;
}

/**
 * Calls a function that changes something, for instance after a click. A call that is under way continues when
 * the component is gone, since it may be half done; pass run a signal to abort it.
 */
export function useAction<F extends Callable>(fn: F): Action<F> {
  type O = AnswerOf<F>;
  const calls = useCalls("useAction");
  const [state, setState] = useState<State<O>>(idle as State<O>);
  const mounted = useRef(false);
  const last = useRef<{ key: string; fn: unknown; outcome: Promise<Outcome<O>> } | undefined>(undefined);
  useEffect(() => {
    mounted.current = true;
    return () => {
      mounted.current = false;
    };
  }, []);
  const run = useCallback(
    (input: InputOf<F>, options?: CallOptions) => {
      const key = keyOf(input);
      if (last.current?.key === key && last.current.fn === fn) return last.current.outcome;
      const outcome = calls.call(fn, input, options).then(
        (data): Outcome<O> => ({ ok: true, data }),
        (e: unknown): Outcome<O> => ({ ok: false, error: callError(e) }),
      );
      const mine = { key, fn, outcome };
      last.current = mine;
      if (mounted.current) setState(waiting as State<O>);
      void outcome.then((o) => {
        if (last.current !== mine) return; // another call has begun since
        last.current = undefined;
        if (mounted.current) setState(o.ok ? { data: o.data, error: undefined, loading: false } : { data: undefined, error: o.error, loading: false });
      });
      return outcome;
    },
    [calls, fn],
  );
  return { run, running: state.loading, data: state.data, error: state.error };
}

/**
 * Provides the components below it with the client of the first render. Providers with the same client share
 * their requests, so components in different places of Flex can each have their own.
 */
export function FunctionsProvider(props: { client: Client; children?: ReactNode }): ReactElement {
  const [calls] = useState(() => {
    let calls = shared.get(props.client);
    if (calls === undefined) shared.set(props.client, (calls = new Calls(props.client)));
    return calls;
  });
  return createElement(CallsContext.Provider, { value: calls }, props.children);
}

/** The answer of a mocked function; made by mock. */
export interface Mock {
  readonly fn: unknown;
  readonly answer: unknown;
}

/** Sets what a function answers in a test: a value, a FunctionError to fail with, or a function of the input, such as jest.fn. */
export function mock<F extends Callable>(
  fn: F,
  answer: AnswerOf<F> | FunctionError | ((input: InputOf<F>) => AnswerOf<F> | Promise<AnswerOf<F>>),
): Mock {
  return { fn, answer };
}

/** A FunctionsProvider for tests, which sends nothing. A call of a function that is not in mocks fails with its name. */
export function MockFunctions(props: { mocks: readonly Mock[]; children?: ReactNode }): ReactElement {
  const [calls] = useState(() => new Calls({ baseUrl: "" }));
  calls.mocks = props.mocks;
  return createElement(CallsContext.Provider, { value: calls }, props.children);
}

interface State<O> {
  readonly data: O | undefined;
  readonly error: CallError | undefined;
  readonly loading: boolean;
}

const idle: State<never> = { data: undefined, error: undefined, loading: false };
const waiting: State<never> = { data: undefined, error: undefined, loading: true };

/** The requests of the components that use one client. */
class Calls {
  readonly asked = new Map<unknown, Map<string, Question<unknown>>>();
  mocks: readonly Mock[] | undefined;
  private readonly client: Client;

  constructor(client: Client) {
    this.client = client;
  }

  async call<F extends Callable>(fn: F, input: InputOf<F>, options: CallOptions = {}): Promise<AnswerOf<F>> {
    if (this.mocks === undefined) return (await fn(this.client, input as never, options)) as AnswerOf<F>;
    const found = this.mocks.find((m) => m.fn === fn);
    if (found === undefined) {
      throw new Error(`The test has no mock for ${fn.name}: add mock(${fn.name}, …) to the mocks of MockFunctions`);
    }
    const answer = typeof found.answer === "function" ? await (found.answer as (input: unknown) => unknown)(input) : found.answer;
    if (answer instanceof FunctionError) throw answer;
    return answer as AnswerOf<F>;
  }

  question<O>(fn: unknown, key: string, send: (signal: AbortSignal) => Promise<O>): Question<O> {
    const byKey = this.asked.get(fn) ?? new Map<string, Question<unknown>>();
    this.asked.set(fn, byKey);
    const there = byKey.get(key) as Question<O> | undefined;
    if (there !== undefined) return there;
    const question: Question<O> = new Question(send, () => {
      if (byKey.get(key) === (question as Question<unknown>)) byKey.delete(key);
    });
    byKey.set(key, question as Question<unknown>);
    return question;
  }
}

/** One function with one input, its answer, and the components that show it. */
class Question<O> {
  state: State<O> = waiting as State<O>;
  private readonly listeners = new Set<() => void>();
  private readonly send: (signal: AbortSignal) => Promise<O>;
  private readonly forget: () => void;
  private ending: AbortController | undefined;

  constructor(send: (signal: AbortSignal) => Promise<O>, forget: () => void) {
    this.send = send;
    this.forget = forget;
  }

  ask(): void {
    this.ending?.abort();
    const ending = (this.ending = new AbortController());
    const settle = (state: State<O>) => {
      if (this.ending === ending) this.become(state);
    };
    if (!this.state.loading) this.become({ ...this.state, loading: true });
    this.send(ending.signal).then(
      (data) => settle({ data, error: undefined, loading: false }),
      (e: unknown) => settle({ data: this.state.data, error: callError(e), loading: false }),
    );
  }

  join(listener: () => void): void {
    this.listeners.add(listener);
    if (this.ending === undefined) this.ask();
  }

  leave(listener: () => void): void {
    this.listeners.delete(listener);
    // Not at once: React's strict mode, or another component, may join again.
    setTimeout(() => {
      if (this.listeners.size > 0) return;
      this.ending?.abort();
      this.ending = undefined;
      this.forget();
    });
  }

  private become(state: State<O>): void {
    this.state = state;
    for (const listener of [...this.listeners]) listener();
  }
}

const CallsContext = /* @__PURE__ */ createContext<Calls | null>(null);
const shared = /* @__PURE__ */ new WeakMap<Client, Calls>();

function useCalls(hook: string): Calls {
  const calls = useContext(CallsContext);
  if (calls === null) throw new Error(`${hook} needs a FunctionsProvider around the component; in a test, MockFunctions`);
  return calls;
}

/** Returns the same key for inputs that are sent the same way. */
function keyOf(input: object): string {
  const given = Object.entries<unknown>({ ...input }).filter(([, v]) => v !== undefined && v !== null);
  given.sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(given, (_, v: unknown) => (typeof v === "bigint" ? `${v}n` : v));
}

function callError(e: unknown): CallError {
  const failure = e instanceof FunctionError ? e : new FunctionError(0, { message: e instanceof Error ? e.message : String(e) }, 0, undefined, e);
  return failure as unknown as CallError;
}
