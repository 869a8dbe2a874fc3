import type { Protocol } from '../protocol-options';
import type { Identity } from '../identity';

/** Fits a terminal of 80 columns and 24 lines, the prompt included. */
function text(program: string): string {
  return `Usage: ${program} COMMAND [TABLE] [OPTIONS]   as in conntrack(8), and more

 -L list flows     -E follow events   -D delete flows    -F empty the table
 -G get one flow   -U change flows    -I create a flow   -A create or change it
 -C count          -S statistics      -R FILE commands of a file, -R - of stdin
 Tables: conntrack (unless said), expect, dying, unconfirmed
 Also: doctor (what hinders here), sysctl [NAME[=VALUE]], demo

 -s -d IP[/LEN] original, -r -q IP reply    -p PROTO, then --sport --dport ...
 -m MARK[/MASK]  -u [!]STATUS  -w ZONE  -l LABEL  -f ipv4|ipv6  -t SECONDS
 -n -g -j [IP[:PORT]] source, destination, any NAT   -e NEW,UPDATES,DESTROY
 -o xml|save|json|extended|id|timestamp|ktimestamp|labels   -b BYTES (of -E)
 --where EXPR  --explain  --dry-run (of -D, -U)  --netns NAME  --compat

 ${program} -L -p tcp --dport 443 -o json
 ${program} -E -e NEW,DESTROY -o timestamp
 ${program} -D --where 'proto udp and port in (53, 5000-5999) and unreplied'
 ${program} -D -s 10.0.0.5 --dry-run
 ${program} -L -o save > table; ${program} -R table

More: man ${program}; ${program} -h -p PROTO for a protocol's options
`;
}

function protocolText({ name, options }: Protocol): string {
  if (options.length === 0) return '\n  no options (unsupported)\n';
  const lines = options.map(({ name: option, aliases }) =>
    [option, ...aliases].map((each) => `--${each}`).join(', '),
  );
  return `\nProto \`${name ?? ''}' help:\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

export function helpText({ program }: Identity, protocol: Protocol | undefined): string {
  return text(program) + (protocol === undefined ? '' : protocolText(protocol));
}
