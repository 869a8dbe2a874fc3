/** A table with something of everything, made by the installed conntrack(8). */
import type { TestNamespace } from './netns';

/** Lines of a batch file: every protocol, both families, NAT, zones, marks and status. */
const FLOWS = [
  '-t 3000 -u SEEN_REPLY,ASSURED -s 10.0.0.1 -d 10.1.0.1 -p tcp --sport 1001 --dport 80 --state ESTABLISHED -m 5',
  '-t 3000 -s 10.0.0.1 -d 10.1.0.2 -p tcp --sport 1002 --dport 443 --state SYN_SENT -m 0x15',
  '-t 3000 -u SEEN_REPLY -s 10.0.0.2 -d 10.1.0.2 -p tcp --sport 1003 --dport 443 --state TIME_WAIT',
  '-t 3000 -u SEEN_REPLY,ASSURED -s 10.2.0.2 -d 10.1.0.3 -p tcp --sport 80 --dport 1004 --state LISTEN',
  '-t 3000 -u ASSURED,SEEN_REPLY -s 10.0.0.3 -d 10.1.0.3 -n 192.0.2.1 -p tcp --sport 1005 --dport 80 --state ESTABLISHED',
  '-t 3000 -u SEEN_REPLY -s 10.0.0.3 -d 192.0.2.9 -g 10.3.0.1:8080 -p tcp --sport 1006 --dport 80 --state CLOSE_WAIT',
  '-t 3000 -s 10.0.0.4 -d 192.0.2.8 -g 10.3.0.2 -n 192.0.2.2:4444 -p udp --sport 1007 --dport 53',
  '-t 3000 -s 10.0.0.4 -d 10.1.0.4 -p udp --sport 53 --dport 53 -m 0xffffffff',
  '-t 3000 -u SEEN_REPLY,FIXED_TIMEOUT -s 10.0.0.5 -d 10.1.0.4 -p udp --sport 1008 --dport 53',
  '-t 3000 -s 10.0.0.5 -d 10.1.0.4 -p udp --sport 1009 --dport 5060 -w 5',
  '-t 3000 -s 10.0.0.5 -d 10.1.0.4 -p udp --sport 1010 --dport 5060 --orig-zone 6',
  '-t 3000 -s 10.0.0.5 -d 10.1.0.4 -p udp --sport 1011 --dport 5060 --reply-zone 7',
  '-t 3000 -s 10.0.0.6 -d 10.1.0.5 -p udplite --sport 1012 --dport 99',
  '-t 3000 -s 10.0.0.6 -d 10.1.0.5 -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 77',
  '-t 3000 -s 10.0.0.6 -d 10.1.0.5 -p icmp --icmp-type 13 --icmp-code 0 --icmp-id 78',
  '-t 3000 -s 10.0.0.6 -d 10.1.0.5 -p gre --srckey 0 --dstkey 77',
  '-t 3000 -s 10.0.0.6 -d 10.1.0.5 -p gre --srckey 0x99 --dstkey 0x4d',
  '-t 3000 -s 10.0.0.7 -d 10.1.0.5 -p sctp --sport 3868 --dport 3869 --state ESTABLISHED --orig-vtag 5 --reply-vtag 6',
  '-t 3000 -s 10.0.0.7 -d 10.1.0.5 -p 50',
  '-t 3000 -s 10.0.0.7 -d 10.1.0.5 -p 200',
  '-t 3000 -u SEEN_REPLY,ASSURED -s 2001:db8::1 -d 2001:db8:1::2 -p tcp --sport 1013 --dport 80 --state FIN_WAIT',
  '-t 3000 -s 2001:db8::1 -d 2001:db8:1::2 -p udp --sport 1014 --dport 53 -m 9',
  '-t 3000 -s 2001:db8::1 -d 2001:db8:1::2 -n 2001:db8:9::1 -p udp --sport 1015 --dport 53',
  '-t 3000 -s 2001:db8::1 -d ::ffff:10.0.0.1 -p icmpv6 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 9',
];

/** Fills the table; `counted`: with counters and times. */
export function fillTable(namespace: TestNamespace, { counted = false } = {}): void {
  namespace.sysctl('nf_conntrack_acct', counted ? 1 : 0);
  namespace.sysctl('nf_conntrack_timestamp', counted ? 1 : 0);
  namespace.sysctl('nf_conntrack_events', 1);
  const input = FLOWS.map((line) => `-I ${line}\n`).join('');
  // A pipe: conntrack(8) opens /dev/stdin, which it cannot of a socket.
  namespace.exec('sh', ['-c', 'cat | conntrack -R -'], { input });
}

/** What is in a table, comparable with that of another namespace: without what differs in any two. */
export function tableOf(namespace: TestNamespace): string[] {
  const lines = namespace.exec('conntrack', ['-L', '-o', 'extended']).split('\n');
  return lines.map(withoutTimes).sort();
}

/** Seconds left, and those since it began, go on while we look. */
export function withoutTimes(line: string): string {
  return line
    .replace(/^(ipv\d +\d+ )?(\w+ +\d+ )\d+ /, '$1$2T ')
    .replace(/delta-time=\d+/, 'delta-time=T')
    .replace(/-t \d+ /, '-t T ')
    .replace(/<timeout>\d+</, '<timeout>T<')
    .replace(/<deltatime>\d+</, '<deltatime>T<');
}
