import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';

/** How native code reports an outcome: errno (0 is success), what failed, the kernel's own text. */
export type Outcome = readonly [errno: number, syscall: string, detail: string];

/** What a failed call was about, for the parts of its message that only the caller knows. */
export interface FailureContext {
  /** What was attempted, as in "cannot list the flows". */
  readonly attempt: string;
  /** The network namespace as the user named it. */
  readonly netns?: string | undefined;
  /** What to do about it, where the caller knows better than the errno. */
  readonly hint?: string | undefined;
  /** What errors mean here in particular, by their symbol. */
  readonly hints?: Readonly<Record<string, string>> | undefined;
}

export interface ConntrackErrorOptions {
  readonly code: string;
  readonly errno?: number | undefined;
  readonly syscall?: string | undefined;
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/**
 * What every failed call throws, apart from invalid arguments, which are a `TypeError` or `RangeError`.
 */
export class ConntrackError extends Error {
  override readonly name = 'ConntrackError';
  /** The symbol of the error, such as `'EPERM'`. */
  readonly code: string;
  /** Its number, positive as in errno(3); absent where no system call failed. */
  readonly errno: number | undefined;
  /** The system call or netlink request that failed. */
  readonly syscall: string | undefined;
  /** The kernel's own explanation (NLMSGERR_ATTR_MSG, Linux 4.12), where it sent one. */
  readonly detail: string | undefined;
  /** What to do about it. */
  readonly hint: string | undefined;

  constructor(message: string, options: ConntrackErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.errno = options.errno;
    this.syscall = options.syscall;
    this.detail = options.detail;
    this.hint = options.hint;
  }
}

const { errno: E } = constants;

function permissionHint(syscall: string): string {
  if (syscall === 'unshare') return 'making a network namespace needs CAP_SYS_ADMIN';
  if (syscall === 'setns') {
    return 'entering another network namespace needs CAP_SYS_ADMIN over it: run as root, or start the program inside it (nsenter --net=...)';
  }
  return 'connection tracking needs CAP_NET_ADMIN over the network namespace: run as root, give the service AmbientCapabilities=CAP_NET_ADMIN, or try it in a namespace of your own (unshare --user --map-root-user --net)';
}

function netnsHint(context: FailureContext): string | undefined {
  if (context.netns === undefined) return undefined;
  return `there is no network namespace ${context.netns}; \`ip netns list\` shows those with a name, and a process id or a path such as /proc/PID/ns/net works too`;
}

/** Errors of a kernel whose nf_conntrack_netlink is neither built in nor loaded. */
function isModuleMissing(errno: number, syscall: string): boolean {
  if (syscall === 'socket') return errno === E.EPROTONOSUPPORT || errno === E.EAFNOSUPPORT;
  return syscall === 'netlink' && errno === E.EINVAL;
}

function hintFor(errno: number, syscall: string, context: FailureContext): string | undefined {
  if (errno === E.EPERM || errno === E.EACCES) return permissionHint(syscall);
  if (syscall === 'open' && (errno === E.ENOENT || errno === E.ESRCH)) return netnsHint(context);
  if (syscall === 'setns' && errno === E.EINVAL) {
    return `${context.netns ?? 'it'} is not a network namespace`;
  }
  if (isModuleMissing(errno, syscall)) {
    return 'the kernel may lack connection tracking over netlink: modprobe nf_conntrack_netlink';
  }
  if (errno === E.EMFILE || errno === E.ENFILE) return 'raise the limit of open files (ulimit -n)';
  return undefined;
}

/** What Node has no name for, or another one of two, and words of sockets. */
const NAMES = new Map<number, readonly [code: string, text: string]>([
  [E.ETIME, ['ETIME', 'timer expired']],
  [E.EBADMSG, ['EBADMSG', 'bad message']],
  [E.EOPNOTSUPP, ['EOPNOTSUPP', 'operation not supported']],
]);

function nameOf(errno: number): readonly [code: string, text: string] {
  return NAMES.get(errno) ?? getSystemErrorMap().get(-errno) ?? [`E${errno}`, 'unknown error'];
}

/** The error of a native outcome that is not a success. */
export function errorOf(outcome: Outcome, context: FailureContext): ConntrackError {
  const [errno, syscall, detail] = outcome;
  const [code, text] = nameOf(errno);
  const hint = context.hints?.[code] ?? context.hint ?? hintFor(errno, syscall, context);
  const cause = detail === '' ? text : `${text}: ${detail}`;
  const message = `cannot ${context.attempt}: ${code}, ${cause} (${syscall})`;
  return new ConntrackError(hint === undefined ? message : `${message}; ${hint}`, {
    code,
    errno,
    syscall,
    detail: detail === '' ? undefined : detail,
    hint,
  });
}

/** Throws what went wrong, if something did. */
export function check(outcome: Outcome, context: FailureContext): void {
  if (outcome[0] !== 0) throw errorOf(outcome, context);
}

export function closedError(what: string): ConntrackError {
  return new ConntrackError(`the ${what} is closed`, { code: 'ERR_CLOSED' });
}
