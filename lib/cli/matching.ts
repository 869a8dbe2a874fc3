/** The flows that options ask for, as a filter. */
import type { DirectionFilter, Filter } from '../filter';
import { portKind } from '../protocol';
import { Status } from '../status';
import { type Address, maskedNetworks, type NatAddress, type Network } from './addresses';
import { failed, usage } from './failure';
import type { Invocation, MarkValue } from './invocation';

/** Matches no flow. */
const NOTHING: Filter = { or: [] };
/** Matches every flow, and says so: a filter without members is refused where it would be dangerous. */
const EVERY_FLOW: Filter = { or: [{ family: 'ipv4' }, { family: 'ipv6' }] };

function wideMask(name: string): Error {
  return failed(`the mask of --${name} has too many gaps to filter by it`);
}

/** The networks that an address and its mask or prefix make. */
function networks(name: string, address: Network, mask: Address | undefined): string | string[] {
  if (mask === undefined) {
    return address.prefix === undefined ? address.text : `${address.text}/${address.prefix}`;
  }
  const found = maskedNetworks(address, mask);
  if (found === undefined) throw wideMask(`mask-${name}`);
  return found;
}

type Ports = Pick<DirectionFilter, 'sport' | 'dport' | 'srckey' | 'dstkey'>;

function ports(protonum: number, sport: number | undefined, dport: number | undefined): Ports {
  const [source, destination] =
    portKind(protonum) === 'gre' ? (['srckey', 'dstkey'] as const) : (['sport', 'dport'] as const);
  return {
    ...(sport === undefined ? {} : { [source]: sport }),
    ...(dport === undefined ? {} : { [destination]: dport }),
  };
}

function origOf({ src, dst, maskSrc, maskDst, protocol, values }: Invocation): DirectionFilter {
  const { sport, dport, icmpType, icmpCode, icmpId } = values;
  return {
    ...(src === undefined ? {} : { src: networks('src', src, maskSrc) }),
    ...(dst === undefined ? {} : { dst: networks('dst', dst, maskDst) }),
    ...ports(protocol?.number ?? 0, sport, dport),
    ...(icmpType === undefined ? {} : { icmpType }),
    ...(icmpCode === undefined ? {} : { icmpCode }),
    ...(icmpId === undefined ? {} : { icmpId }),
  };
}

function replyOf({ replySrc, replyDst, protocol, values }: Invocation): DirectionFilter {
  return {
    ...(replySrc === undefined ? {} : { src: replySrc.text }),
    ...(replyDst === undefined ? {} : { dst: replyDst.text }),
    ...ports(protocol?.number ?? 0, values.replySport, values.replyDport),
  };
}

/**
 * A flow whose address or port NAT has changed to these; without any, to whatever. The kernel's own bits say
 * that something was changed; an address that was not changed is not what was asked for.
 */
function natOf(side: 'src' | 'dst', { address, port }: NatAddress): Filter {
  const [replied, done] =
    side === 'src' ? (['dst', Status.srcNatDone] as const) : (['src', Status.dstNatDone] as const);
  if (address === undefined && port === undefined) return { nat: side };
  const wanted: Filter[] = [{ status: { all: done } }];
  if (address !== undefined) {
    wanted.push({ reply: { [replied]: address.text } });
    wanted.push({ not: { orig: { [side]: address.text } } });
  }
  if (port !== undefined) {
    wanted.push({ reply: { [side === 'src' ? 'dport' : 'sport']: port } });
    wanted.push({ not: { orig: { [side === 'src' ? 'sport' : 'dport']: port } } });
  }
  return { and: wanted };
}

function natFilters({ given, srcNat, dstNat }: Invocation): Filter[] {
  const nats = [
    ...(srcNat === undefined ? [] : [natOf('src', srcNat)]),
    ...(dstNat === undefined ? [] : [natOf('dst', dstNat)]),
  ];
  return given.has('any-nat') ? [{ or: nats }] : nats;
}

/** A value that has bits outside of its mask is never matched. */
function markFilter({ value, mask }: MarkValue): Filter {
  return (value & ~mask) === 0 ? { mark: { value, mask } } : NOTHING;
}

/** A zone of one direction; a flow that has none is in zone 0. */
function zoneFilter(side: 'orig' | 'reply', zone: number): Filter {
  return zone === 0 ? { not: { [side]: { zone: [1, 0xffff] } } } : { [side]: { zone } };
}

function statusFilters({ status }: Invocation): Filter[] {
  if (status === undefined) return [];
  // As the original says it; with -D it would delete everything.
  if (status.set === 0 && status.clear === 0) throw failed('Operation failed: invalid parameters');
  return [
    ...(status.set === 0 ? [] : [{ status: { all: status.set } }]),
    ...(status.clear === 0 ? [] : [{ status: { none: status.clear } }]),
  ];
}

/** What all commands match by. */
function tupleFilters(invocation: Invocation): Filter[] {
  const { family, protocol, id, labels, given } = invocation;
  const [orig, reply] = [origOf(invocation), replyOf(invocation)];
  return [
    ...(family === undefined ? [] : [{ family }]),
    ...(protocol === undefined ? [] : [{ protocol: protocol.number }]),
    ...(Object.keys(orig).length === 0 ? [] : [{ orig }]),
    ...(Object.keys(reply).length === 0 ? [] : [{ reply }]),
    ...natFilters(invocation),
    ...(id === undefined ? [] : [{ id }]),
    ...(given.has('label') ? [{ labels }] : []),
  ];
}

/** Options that an update takes for values, and everything else for conditions. */
function conditionFilters(invocation: Invocation): Filter[] {
  const { mark, zone, origZone, replyZone, values, timeout } = invocation;
  return [
    ...statusFilters(invocation),
    ...(mark === undefined ? [] : [markFilter(mark)]),
    ...(zone === undefined ? [] : [{ zone }]),
    ...(origZone === undefined ? [] : [zoneFilter('orig', origZone)]),
    ...(replyZone === undefined ? [] : [zoneFilter('reply', replyZone)]),
    ...(values.state === undefined
      ? []
      : [{ state: values.state as NonNullable<Filter['state']> }]),
    ...(timeout === undefined ? [] : [{ timeout }]),
  ];
}

/**
 * The filter of a command; it matches every flow if the options name none in particular. `where` is that
 * of --where.
 */
export function filterOf(invocation: Invocation, where: Filter | undefined): Filter {
  const filters = [
    ...tupleFilters(invocation),
    ...(invocation.command === 'update' ? [] : conditionFilters(invocation)),
    ...(where === undefined ? [] : [where]),
  ];
  checkMasks(invocation);
  return filters.length === 0 ? EVERY_FLOW : { and: filters };
}

/** As filterOf(), undefined if every flow is asked for. */
export function wantedOf(invocation: Invocation, where: Filter | undefined): Filter | undefined {
  const filter = filterOf(invocation, where);
  return filter === EVERY_FLOW ? undefined : filter;
}

function checkMasks({ src, dst, maskSrc, maskDst }: Invocation): void {
  if (maskSrc !== undefined && src === undefined) throw maskAlone('src');
  if (maskDst !== undefined && dst === undefined) throw maskAlone('dst');
}

/** Ports and the like that are no numbers: harmless in a listing, not where flows would go or change. */
export function refuseSloppy({ sloppy }: Invocation): void {
  const [first] = sloppy;
  if (first !== undefined) throw usage(`Invalid value \`${first.word}' of \`--${first.name}'`);
}

function maskAlone(side: 'src' | 'dst'): Error {
  return usage(`Can't use --mask-${side} without --${side}`);
}
