/** How the command line ends when it cannot do what it was asked. */

/** EXIT_FAILURE, and what the original returns for a wrong command line (PARAMETER_PROBLEM). */
export const RUNTIME_FAILURE = 1;
export const USAGE_FAILURE = 2;

/** Ends the command with a message behind the program's name. */
export class CliFailure extends Error {
  override readonly name = 'CliFailure';
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The command line is wrong; the message is followed by where to find help. */
export function usage(message: string): CliFailure {
  return new CliFailure(message, USAGE_FAILURE);
}

/** What was asked could not be done. */
export function failed(message: string): CliFailure {
  return new CliFailure(message, RUNTIME_FAILURE);
}
