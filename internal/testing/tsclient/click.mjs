// A click of a plugin's button that makes a task: node click.mjs CLIENT URL.
// What fails is clicked again, as a user does, for the same click. Prints the
// tasks that two clicks at the same time were answered with.
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
