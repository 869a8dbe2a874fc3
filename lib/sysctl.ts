import { constants } from 'node:os';

import { closest } from './closest';
import type { Control } from './control';
import { check, type ConntrackError, errorOf, type Outcome } from './errors';
import { integer, mustBe } from './options';
import {
  type KnownSysctl,
  KNOWN_SYSCTLS,
  type SysctlFacts,
  sysctlFacts,
  type SysctlScope,
  type SysctlUnit,
} from './sysctl-table';

/** Keeps editors completing the known names where any other is taken as well. */
// eslint-disable-next-line @typescript-eslint/no-generated-empty-object-type -- that is the means
type Other = Record<never, never>;

/** `nf_conntrack_*`, with or without the `net.netfilter.` before it; one that is not known here works too. */
export type SysctlName =
  | KnownSysctl
  | `net.netfilter.${KnownSysctl}`
  | (`nf_conntrack_${string}` & Other)
  | (`net.netfilter.nf_conntrack_${string}` & Other);

/** A sysctl of the running kernel. What is not known of it is absent. */
export interface SysctlEntry {
  /** Without the `net.netfilter.`. */
  name: string;
  value: number;
  unit?: SysctlUnit;
  /** What set() accepts. */
  min?: number;
  max?: number;
  /** Whether this program may set it in this namespace. */
  writable: boolean;
  scope?: SysctlScope;
  /** One line. */
  meaning?: string;
}

const { errno: E } = constants;

const DIRECTORY = '/proc/sys/net/netfilter';
const PREFIX = 'net.netfilter.';
const NAME = /^nf_conntrack_[a-z0-9_]+$/;

const MODULE_HINT =
  'connection tracking is not loaded: modprobe nf_conntrack, or load a rule that needs it';

function parseName(name: unknown): string {
  const wanted = "the name of a sysctl, such as 'nf_conntrack_max'";
  if (typeof name !== 'string') throw mustBe('name', wanted, name);
  const bare = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name;
  if (!NAME.test(bare)) throw mustBe('name', wanted, name);
  return bare;
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}

function originHint({ module, since, until }: SysctlFacts): string {
  if (until !== undefined) return `Linux ${until} removed it`;
  if (since !== undefined) return `it is of Linux ${since}`;
  if (module?.startsWith('CONFIG_')) return `it needs a kernel with ${module}`;
  return module === undefined ? MODULE_HINT : `it comes with a module: modprobe ${module}`;
}

/** Why a sysctl is not there: `present` are those that are. */
function absenceHint(name: string, present: readonly string[]): string {
  if (present.length === 0) return MODULE_HINT;
  const facts = sysctlFacts(name);
  if (facts !== undefined) return originHint(facts);
  const meant = closest(name, [...present, ...KNOWN_SYSCTLS]);
  const list = 'list() tells what this kernel has';
  return meant === undefined ? list : `did you mean ${meant}? ${list}`;
}

function refusalHint(name: string, value: number, facts: SysctlFacts | undefined): string {
  if (facts?.readOnly) return 'the kernel counts it, nobody sets it';
  if (facts?.scope === 'initial namespace') {
    return `it belongs to the initial network namespace and is read-only in every other one; there, and for all of them, root sets it: nsenter --net=/proc/1/ns/net sysctl -w ${PREFIX}${name}=${value}`;
  }
  return 'setting it needs CAP_NET_ADMIN over the network namespace: run as root';
}

function writeHint(errno: number, name: string, value: number): string | undefined {
  const facts = sysctlFacts(name);
  if (errno === E.EACCES || errno === E.EPERM) return refusalHint(name, value, facts);
  if (errno === E.EINVAL) return facts?.rule ?? 'the kernel does not take this value';
  if (errno !== E.EROFS) return undefined;
  return `/proc/sys is read-only here, as in most containers: set it on the host, or start the container with --sysctl ${PREFIX}${name}=${value}`;
}

interface Listed {
  readonly name: string;
  readonly writable: boolean;
}

/** Native code's lines of "w NAME" and "r NAME". */
function listed(bytes: Uint8Array): Listed[] {
  const files = text(bytes)
    .split('\n')
    .map((line) => ({ name: line.slice(2), writable: line.startsWith('w') }));
  return files.filter(({ name }) => NAME.test(name)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function entryOf({ name, writable }: Listed, value: number): SysctlEntry {
  const facts = sysctlFacts(name);
  if (facts === undefined) return { name, value, writable };
  const { unit, min, max, scope, meaning } = facts;
  return { name, value, unit, min, max, writable, scope, meaning };
}

const isAbsent = ([errno]: Outcome): boolean => errno === E.ENOENT;

/**
 * The kernel's settings of connection tracking, `net.netfilter.nf_conntrack_*`, of the namespace that was
 * opened. Reading needs no privilege; setting needs CAP_NET_ADMIN over the namespace.
 */
export class Sysctl {
  readonly #control: Control;

  /** @internal */
  constructor(control: Control) {
    this.#control = control;
  }

  /** ENOENT: this kernel has no such sysctl. */
  async get(name: SysctlName): Promise<number> {
    const known = parseName(name);
    const [outcome, bytes] = await this.#read(known);
    if (isAbsent(outcome)) throw await this.#absence(outcome, `read ${PREFIX}${known}`, known);
    check(outcome, { attempt: `read ${PREFIX}${known}` });
    return Number(text(bytes));
  }

  /**
   * Throws a RangeError, before anything is written, for what a known sysctl cannot be. ENOENT: this kernel
   * has no such sysctl; EACCES or EPERM: it is read-only, in this namespace or for this user; EINVAL: the
   * kernel refuses the value.
   */
  async set(name: SysctlName, value: number): Promise<void> {
    const known = parseName(name);
    const { MIN_SAFE_INTEGER, MAX_SAFE_INTEGER } = Number;
    const { min = MIN_SAFE_INTEGER, max = MAX_SAFE_INTEGER } = sysctlFacts(known) ?? {};
    const checked = integer(known, value, min, max);
    const [outcome] = await this.#control.exchange((answer) => {
      this.#control.native.writeFile(`${DIRECTORY}/${known}`, `${checked}\n`, answer);
    });
    const attempt = `set ${PREFIX}${known}`;
    if (isAbsent(outcome)) throw await this.#absence(outcome, attempt, known);
    check(outcome, { attempt, hint: writeHint(outcome[0], known, checked) });
  }

  /** All that the running kernel has, by name; none where connection tracking is not loaded. */
  async list(): Promise<SysctlEntry[]> {
    const files = await this.#present();
    const entries = await Promise.all(files.map((file) => this.#entry(file)));
    return entries.filter((entry) => entry !== undefined);
  }

  /** Undefined: it went meanwhile, with its module. */
  async #entry(file: Listed): Promise<SysctlEntry | undefined> {
    const [outcome, bytes] = await this.#read(file.name);
    if (isAbsent(outcome)) return undefined;
    check(outcome, { attempt: `read ${PREFIX}${file.name}` });
    return entryOf(file, Number(text(bytes)));
  }

  async #present(): Promise<Listed[]> {
    const [outcome, bytes] = await this.#control.exchange((answer) => {
      this.#control.native.listDirectory(DIRECTORY, answer);
    });
    if (isAbsent(outcome)) return [];
    check(outcome, { attempt: `list ${DIRECTORY}` });
    return listed(bytes);
  }

  #read(name: string): Promise<[Outcome, Uint8Array]> {
    return this.#control.exchange((answer) => {
      this.#control.native.readFile(`${DIRECTORY}/${name}`, answer);
    });
  }

  async #absence(outcome: Outcome, attempt: string, name: string): Promise<ConntrackError> {
    const present = (await this.#present()).map((file) => file.name);
    return errorOf(outcome, { attempt, hint: absenceHint(name, present) });
  }
}
