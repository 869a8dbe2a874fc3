/**
 * nfconntrack: Linux connection tracking (nf_conntrack) for Node.js.
 *
 * @packageDocumentation
 */
export type { Family } from './address';
export { Batch, FlowBatch } from './batch';
export { FlowColumns, type OptionalColumn } from './columns';
export { Conntrack, type OpenOptions } from './conntrack';
export { diagnose, type Diagnosis } from './doctor';
export { ConntrackError } from './errors';
export {
  type ConntrackEvent,
  EventBatch,
  type EventType,
  type FlowEvent,
  type GapCause,
  type GapEvent,
} from './event';
export { EventStream, type EventsStatistics, type StreamOptions } from './event-stream';
export { Events, type EventsOptions } from './events';
export type { Facts, Finding, Severity } from './findings';
export {
  Expectation,
  type ExpectationData,
  ExpectationFlag,
  type ExpectationFlagName,
  type ExpectationNat,
  Master,
  type MasterData,
  type NatDirection,
} from './expectation';
export {
  type ExpectationChange,
  type ExpectationEvent,
  ExpectationEventBatch,
  type ExpectationEventType,
} from './expectation-event';
export { ExpectationEvents, type ExpectationEventsOptions } from './expectation-events';
export type {
  ExpectationKey,
  ExpectationsOptions,
  ExpectedTuple,
  MasterKey,
  MasterTuple,
} from './expectation-key';
export { Expectations } from './expectations';
export {
  type DccpInfo,
  Flow,
  type FlowData,
  type SctpInfo,
  type SeqAdjust,
  type SeqAdjustment,
  type Synproxy,
  type TcpFlags,
  type TcpInfo,
  type Timestamps,
} from './flow';
export { format, type FormatItem, type FormatOptions, XML_FRAME } from './format';
export type {
  Addresses,
  DirectionFilter,
  Filter,
  Numbers,
  StatusFlags,
  WideNumbers,
} from './filter';
export type { StatusBits } from './attributes';
export type { FlowChanges } from './changes';
export type { Nat, NatRange } from './nat';
export type { NewFlow } from './new-flow';
export type {
  DeleteWhereOptions,
  DeleteWhereResult,
  FlushOptions,
  ManyOptions,
  ManyResult,
  SweepProgress,
  UpdateWhereOptions,
  UpdateWhereResult,
} from './mutations';
export { Flows, type FlowsOptions, type Table } from './flows';
export type { FlowKey, TupleKey } from './key';
export { Mirror, type MirrorOptions, type MirrorStatistics } from './mirror';
export {
  ChangeBatch,
  type ChangesOptions,
  type ChangesStatistics,
  type ChangeType,
  type MirrorChange,
  MirrorChanges,
} from './mirror-changes';
export { MirrorFlows } from './mirror-flows';
export type { NewExpectation } from './new-expectation';
export { LabelMap } from './labels';
export type { Explanation, KernelFacts } from './plan';
export { probe } from './probe';
export { programOf } from './program';
export type { DccpState, SctpState, State, TcpState } from './state';
export type { CpuStats, ExpectationStats, Limits } from './stats';
export { Status, type StatusFlag } from './status';
export { Sysctl, type SysctlEntry, type SysctlName } from './sysctl';
export type { KnownSysctl, SysctlScope, SysctlUnit } from './sysctl-table';
export { Direction, type DirectionData, Tuple, type TupleData } from './tuple';
