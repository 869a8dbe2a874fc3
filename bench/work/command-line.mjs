// The command line, start-up included, into a pipe.
import { inTurn } from '../figures.mjs';

const piped = (command) => `${command} | cat >/dev/null`;

export async function commandLine({ floor, timed, command, sizes, rounds }) {
  await floor.ask('flush');
  await floor.ask(`fill 0 ${sizes.flows}`);
  const [ORIGINAL, OURS, JSON_LINES] = ['conntrack -L', 'nfconntrack -L', 'nfconntrack -L -o json'];
  const rows = await inTurn(
    [
      { name: ORIGINAL, go: () => timed(piped('conntrack -L')) },
      { name: OURS, go: () => timed(piped(`${command} -L`)) },
      { name: JSON_LINES, go: () => timed(piped(`${command} -L -o json`)) },
      { name: 'node -e 0', go: () => timed('exec node -e 0') },
      { name: 'nfconntrack -C', go: () => timed(`exec ${command} -C`) },
    ],
    rounds,
  );
  await floor.ask('flush');
  return {
    title: `the command line on ${sizes.flows} flows, into a pipe`,
    rows,
    problems: [],
    targets: [
      { name: OURS, against: ORIGINAL, atMost: 0.6 },
      { name: JSON_LINES, against: ORIGINAL, atMost: 0.8 },
      { name: 'nfconntrack -C', against: 'node -e 0', atMost: 1.3 },
    ],
  };
}
