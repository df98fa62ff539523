// What the guide shows of a plugin.
import { type Client, FunctionError, flexGreet } from "./functions.js";

declare const manager: { store: { getState(): { flex: { session: { ssoTokenPayload: { token: string } } } } } };

const client: Client = {
  baseUrl: "https://functions.example.com",
  token: () => manager.store.getState().flex.session.ssoTokenPayload.token,
};

export async function sayHello(name: string): Promise<string> {
  try {
    const { greeting } = await flexGreet(client, { name, times: 2 });
    return greeting;
  } catch (e) {
    if (e instanceof FunctionError && e.status === 403) return "You may not do that.";
    throw e;
  }
}
