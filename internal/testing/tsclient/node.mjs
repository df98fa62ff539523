import { run } from "./out/checks.js";

const faults = await run(process.argv[2]);
for (const fault of faults) console.log(fault);
process.exitCode = faults.length ? 1 : 0;
