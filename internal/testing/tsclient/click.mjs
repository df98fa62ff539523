// A click of a plugin's button that makes a task: node click.mjs CLIENT URL.
// A failed click is repeated with the same key, as a user would click again. It
// prints the tasks that two simultaneous clicks got.
const { flexCreateTask } = await import(process.argv[2]);
const client = { baseUrl: process.argv[3], token: () => "dev-agent" };
const idempotencyKey = crypto.randomUUID();

async function click() {
  for (let n = 1; ; n++) {
    try {
      return (await flexCreateTask(client, { customer: "Ada" }, { idempotencyKey })).sid;
    } catch (e) {
      if (n === 20) throw e;
      await new Promise((done) => setTimeout(done, 300));
    }
  }
}

console.log(JSON.stringify(await Promise.all([click(), click()])));
