// What the guide shows of a plugin.
import { FunctionError, flexGreet, fromFlex } from "./functions.js";

declare const manager: Parameters<typeof fromFlex>[0];

const client = fromFlex(manager); // Flex.Manager.getInstance()

export async function sayHello(name: string): Promise<string> {
  try {
    const { greeting } = await flexGreet(client, { name, times: 2 });
    return greeting;
  } catch (e) {
    if (e instanceof FunctionError && e.status === 403) return "You may not do that.";
    throw e;
  }
}
