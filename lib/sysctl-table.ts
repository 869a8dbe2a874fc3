/**
 * What is known of each `net.netfilter.nf_conntrack_*`: Documentation/networking/nf_conntrack-sysctl.rst,
 * net/netfilter/nf_conntrack_standalone.c, and a kernel that was asked for its ranges.
 */

/** `choice`: a number that stands for something, see the meaning. */
export type SysctlUnit = 'seconds' | 'count' | 'boolean' | 'choice' | 'bytes';

/** Who has it: every network namespace one of its own, or the initial one for them all. */
export type SysctlScope = 'namespace' | 'initial namespace';

export interface SysctlFacts {
  readonly unit: SysctlUnit;
  readonly min: number;
  readonly max: number;
  readonly scope: SysctlScope;
  readonly meaning: string;
  /** Linux versions: the first that has it, the first that has it no more. */
  readonly since?: string;
  readonly until?: string;
  /** What brings it, where that is not nf_conntrack itself. */
  readonly module?: string;
  /** What the kernel checks beyond the range. */
  readonly rule?: string;
  readonly readOnly?: true;
}

type Extras = Partial<Pick<SysctlFacts, 'since' | 'until' | 'module' | 'rule'>>;

/** The kernel counts in ticks, in an int: this is the most at 100 a second, the slowest clock there is. */
const MOST_SECONDS = 21_474_836;
const CLOCK_RULE =
  'the kernel counts seconds in ticks of its clock: at 1000 ticks a second it takes 2147483 s at most, at 250 four times as many';

const INT_MAX = 2 ** 31 - 1;
/** A table of pointers to lists, of which the kernel allocates at most 4 GiB. */
const MOST_BUCKETS = 2 ** 29 - 1;

const NAMESPACE = { scope: 'namespace' } as const;
const INITIAL = { scope: 'initial namespace' } as const;

function seconds(meaning: string, extras: Extras = {}): SysctlFacts {
  const range = { min: 0, max: MOST_SECONDS, rule: CLOCK_RULE };
  return { unit: 'seconds', ...range, ...NAMESPACE, meaning, ...extras };
}

function toggle(meaning: string, extras: Extras = {}): SysctlFacts {
  return { unit: 'boolean', min: 0, max: 1, ...NAMESPACE, meaning, ...extras };
}

function choice(max: number, meaning: string): SysctlFacts {
  return { unit: 'choice', min: 0, max, ...NAMESPACE, meaning };
}

function threshold(meaning: string, rule: string): SysctlFacts {
  const range = { min: 0, max: Number.MAX_SAFE_INTEGER };
  return { unit: 'bytes', ...range, ...NAMESPACE, meaning, rule, module: 'nf_defrag_ipv6' };
}

/** Trackers that are options of a kernel's configuration. */
const SCTP = { module: 'CONFIG_NF_CT_PROTO_SCTP' };
const GRE = { module: 'CONFIG_NF_CT_PROTO_GRE' };
/** DCCP went with its protocol. */
const DCCP = { module: 'CONFIG_NF_CT_PROTO_DCCP', until: '6.17' };

const TABLE = {
  nf_conntrack_acct: toggle('count packets and bytes of flows made from now on'),
  nf_conntrack_buckets: {
    ...{ unit: 'count', min: 1, max: MOST_BUCKETS, ...INITIAL },
    meaning: 'size of the hash table, which all namespaces share',
  },
  nf_conntrack_checksum: toggle('verify checksums of incoming packets; a bad one is invalid'),
  nf_conntrack_count: {
    ...{ unit: 'count', min: 0, max: INT_MAX, ...NAMESPACE, readOnly: true },
    meaning: 'flows in the table now',
  },
  nf_conntrack_events: choice(
    2,
    'send events of flows made from now on: 0 never, 1 always, 2 (Linux 5.19) if somebody listens when the flow is made',
  ),
  nf_conntrack_events_retry_timeout: seconds('how long undelivered events are kept', {
    until: '3.16',
  }),
  nf_conntrack_expect_max: {
    ...{ unit: 'count', min: 0, max: INT_MAX, ...INITIAL },
    meaning: 'most expectations in each namespace',
  },
  nf_conntrack_frag6_high_thresh: threshold(
    'memory for IPv6 fragments; a fragment beyond it is dropped',
    'it must not be less than nf_conntrack_frag6_low_thresh',
  ),
  nf_conntrack_frag6_low_thresh: threshold(
    'unused since Linux 4.17; before, what IPv6 fragments were cut down to',
    'it must not be more than nf_conntrack_frag6_high_thresh',
  ),
  nf_conntrack_frag6_timeout: seconds('how long an IPv6 fragment waits for the others', {
    module: 'nf_defrag_ipv6',
  }),
  nf_conntrack_generic_timeout: seconds('life of a flow of a protocol without a tracker'),
  nf_conntrack_gre_timeout: seconds('life of a GRE flow without a reply', GRE),
  nf_conntrack_gre_timeout_stream: seconds('life of a GRE flow with replies', GRE),
  nf_conntrack_helper: toggle('attach helpers by port, unasked', { until: '6.0' }),
  nf_conntrack_icmp_timeout: seconds('life of an ICMP flow'),
  nf_conntrack_icmpv6_timeout: seconds('life of an ICMPv6 flow'),
  nf_conntrack_log_invalid: choice(
    255,
    'log invalid packets of one protocol by its number (6: TCP); 0 none, 255 all',
  ),
  nf_conntrack_max: {
    ...{ unit: 'count', min: 0, max: INT_MAX, ...INITIAL },
    meaning: 'most flows in each namespace; 0 no limit',
  },
  nf_conntrack_timestamp: toggle('note when flows made from now on start, stop and change'),

  nf_conntrack_tcp_be_liberal: toggle('of packets outside the window only a RST is invalid'),
  nf_conntrack_tcp_ignore_invalid_rst: toggle('a RST outside the window is not invalid', {
    since: '5.14',
  }),
  nf_conntrack_tcp_loose: toggle('take up connections whose beginning was not seen'),
  nf_conntrack_tcp_max_retrans: {
    ...{ unit: 'count', min: 0, max: 255, ...NAMESPACE },
    meaning: 'retransmissions without an answer until tcp_timeout_max_retrans applies',
  },
  nf_conntrack_tcp_timeout_close: seconds('life of a TCP flow after a RST (CLOSE)'),
  nf_conntrack_tcp_timeout_close_wait: seconds('life of a TCP flow in CLOSE_WAIT'),
  nf_conntrack_tcp_timeout_established: seconds('life of an idle TCP connection (ESTABLISHED)'),
  nf_conntrack_tcp_timeout_fin_wait: seconds('life of a TCP flow in FIN_WAIT'),
  nf_conntrack_tcp_timeout_last_ack: seconds('life of a TCP flow in LAST_ACK'),
  nf_conntrack_tcp_timeout_max_retrans: seconds(
    'life of a TCP flow after tcp_max_retrans retransmissions',
  ),
  nf_conntrack_tcp_timeout_syn_recv: seconds('life of a TCP flow in SYN_RECV'),
  nf_conntrack_tcp_timeout_syn_sent: seconds('life of a TCP flow in SYN_SENT'),
  nf_conntrack_tcp_timeout_time_wait: seconds('life of a TCP flow in TIME_WAIT'),
  nf_conntrack_tcp_timeout_unacknowledged: seconds(
    'life of a TCP connection with data that is not acknowledged',
  ),

  nf_conntrack_udp_timeout: seconds('life of a UDP flow without a lasting exchange'),
  nf_conntrack_udp_timeout_stream: seconds('life of a UDP flow with packets both ways for 2 s'),

  nf_conntrack_sctp_timeout_closed: seconds('life of an SCTP flow in CLOSED', SCTP),
  nf_conntrack_sctp_timeout_cookie_echoed: seconds('life of an SCTP flow in COOKIE_ECHOED', SCTP),
  nf_conntrack_sctp_timeout_cookie_wait: seconds('life of an SCTP flow in COOKIE_WAIT', SCTP),
  nf_conntrack_sctp_timeout_established: seconds('life of an idle SCTP association', SCTP),
  nf_conntrack_sctp_timeout_heartbeat_acked: seconds('life of an SCTP path that was answered', {
    ...SCTP,
    until: '6.2',
  }),
  nf_conntrack_sctp_timeout_heartbeat_sent: seconds(
    'life of an SCTP flow of which only a HEARTBEAT was seen',
    SCTP,
  ),
  nf_conntrack_sctp_timeout_shutdown_ack_sent: seconds(
    'life of an SCTP flow in SHUTDOWN_ACK_SENT',
    SCTP,
  ),
  nf_conntrack_sctp_timeout_shutdown_recd: seconds('life of an SCTP flow in SHUTDOWN_RECD', SCTP),
  nf_conntrack_sctp_timeout_shutdown_sent: seconds('life of an SCTP flow in SHUTDOWN_SENT', SCTP),

  nf_conntrack_dccp_loose: toggle('take up connections whose beginning was not seen', DCCP),
  nf_conntrack_dccp_timeout_closereq: seconds('life of a DCCP flow in CLOSEREQ', DCCP),
  nf_conntrack_dccp_timeout_closing: seconds('life of a DCCP flow in CLOSING', DCCP),
  nf_conntrack_dccp_timeout_open: seconds('life of an idle DCCP connection', DCCP),
  nf_conntrack_dccp_timeout_partopen: seconds('life of a DCCP flow in PARTOPEN', DCCP),
  nf_conntrack_dccp_timeout_request: seconds('life of a DCCP flow in REQUEST', DCCP),
  nf_conntrack_dccp_timeout_respond: seconds('life of a DCCP flow in RESPOND', DCCP),
  nf_conntrack_dccp_timeout_timewait: seconds('life of a DCCP flow in TIMEWAIT', DCCP),
} as const satisfies Readonly<Record<string, SysctlFacts>>;

/** A sysctl that is known here; the running kernel may lack it, and have others. */
export type KnownSysctl = keyof typeof TABLE;

const FACTS: ReadonlyMap<string, SysctlFacts> = new Map(Object.entries(TABLE));

export function sysctlFacts(name: string): SysctlFacts | undefined {
  return FACTS.get(name);
}

export const KNOWN_SYSCTLS: readonly string[] = [...FACTS.keys()];
