/**
 * The only place that knows the variables of the environment. Everything else is handed an `Environment`, so
 * that tests can say what is set. What may depend on one: the command line, and keys and folders of models,
 * which are named in code and kept out of it.
 */
export interface Environment {
  /** The value of a variable; `undefined` where it is not set or empty. */
  variable(name: string): string | undefined;
}

/** The variables of this process; a browser has none. */
export const systemEnvironment: Environment = {
  variable: (name) => {
    const { process } = globalThis as { process?: { env?: Readonly<Record<string, string | undefined>> } };
    return process?.env?.[name] || undefined;
  },
};
