/**
 * nfconntrack: Linux connection tracking (nf_conntrack) for Node.js.
 *
 * @packageDocumentation
 */
export type { Family } from './address';
export { Batch, FlowBatch } from './batch';
export { FlowColumns, type OptionalColumn } from './columns';
export { Conntrack, type OpenOptions } from './conntrack';
export { ConntrackError } from './errors';
export {
  type ConntrackEvent,
  EventBatch,
  type EventType,
  type FlowEvent,
  type GapCause,
  type GapEvent,
} from './event';
export { Events, type EventsOptions, type EventsStatistics } from './events';
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
export type {
  Addresses,
  DirectionFilter,
  Filter,
  Numbers,
  StatusFlags,
  WideNumbers,
} from './filter';
export type { FlowChanges, NatRange, NewFlow, StatusBits } from './changes';
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
export type { Explanation, KernelFacts } from './plan';
export { probe } from './probe';
export type { DccpState, SctpState, State, TcpState } from './state';
export type { CpuStats, Limits } from './stats';
export { Status, type StatusFlag } from './status';
export { Direction, type DirectionData, Tuple, type TupleData } from './tuple';
