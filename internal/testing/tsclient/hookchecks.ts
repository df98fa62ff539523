// Renders components that use the hooks for the functions of package kinds at
// baseUrl, in a browser, and returns what went wrong. It runs
// with each version of React that the hooks are for.
import { Component, createElement, StrictMode, useState } from "react";
import type { ReactElement, ReactNode } from "react";
import * as api from "./hooks.js";

/** Renders into a node, and returns a function that removes it. */
export type Render = (node: Element, element: ReactElement) => () => void;

export async function run(baseUrl: string, render: Render): Promise<string[]> {
  const faults: string[] = [];
  const same = (what: string, got: unknown, want: unknown) => {
    const [g, w] = [JSON.stringify(got), JSON.stringify(want)];
    if (g !== w) faults.push(`${what}: got ${g}, want ${w}`);
  };
  console.error = (...args: unknown[]) => faults.push(`React says ${args.map(String).join(" ")}`);

  /** A client that counts its requests. */
  const counting = () => {
    const seen = { sent: 0, aborted: 0, tokens: 0 };
    const client: api.Client = {
      baseUrl,
      token: () => (seen.tokens++, "dev-agent"),
      fetch: (url, init) => {
        seen.sent++;
        init?.signal?.addEventListener("abort", () => seen.aborted++);
        return fetch(url, init);
      },
    };
    return { seen, client };
  };
  const show = (element: ReactElement) => {
    const node = document.createElement("div");
    document.body.append(node);
    const remove = render(node, element);
    return { node, remove, text: () => node.textContent ?? "" };
  };
  const within = (client: api.Client, ...children: ReactNode[]) => createElement(api.FunctionsProvider, { client }, ...children);
  const until = async (what: string, done: () => boolean) => {
    for (let i = 0; i < 500; i++) {
      if (done()) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    faults.push(`${what}: never, after 5 s`);
  };
  const rest = () => new Promise((resolve) => setTimeout(resolve, 50));

  function Times({ times }: { times: number | null }): ReactElement {
    const { data, error, loading } = api.useFunction(api.kindsOptional, times === null ? null : { times });
    return createElement("i", null, error ? `failed ${error.status};` : loading ? "…" : `${data?.times};`);
  }
  function Slow(): ReactElement {
    const { loading } = api.useFunction(api.kindsSlow, { for: "2s" });
    return createElement("i", null, loading ? "…" : "done");
  }

  { // One request for many components, in several places, in strict mode; each gets the answer.
    const { client, seen } = counting();
    const one = show(within(client, createElement(Times, { times: 3, key: 1 }), createElement(Times, { times: 3, key: 2 })));
    const two = show(createElement(StrictMode, null, within(client, createElement(Times, { times: 3 }))));
    await until("shared", () => one.text() === "3;3;" && two.text() === "3;");
    const three = show(within(client, createElement(Times, { times: 3 }), createElement(Times, { times: 4 })));
    await until("late", () => three.text() === "3;4;");
    same("requests", seen.sent, 2);
    [one, two, three].forEach((s) => s.remove());
    await rest();
    const four = show(within(client, createElement(Times, { times: 3 })));
    await until("asked anew", () => four.text() === "3;");
    same("requests after all were gone", seen.sent, 3);
    four.remove();
  }

  { // The request ends with the last component that waits for it.
    const { client, seen } = counting();
    const one = show(within(client, createElement(Slow)));
    const two = show(createElement(StrictMode, null, within(client, createElement(Slow))));
    await until("sent", () => seen.sent === 1);
    one.remove();
    await rest();
    same("aborted while another waits", seen.aborted, 0);
    two.remove();
    await until("aborted", () => seen.aborted === 1);
  }

  { // An input that changes; null; a failure.
    const { client, seen } = counting();
    let set: (times: number | null) => void = () => {};
    function Changing(): ReactElement {
      const [times, setTimes] = useState<number | null>(null);
      set = setTimes;
      return createElement(Times, { times });
    }
    const it = show(within(client, createElement(Changing)));
    await rest();
    same("null", [it.text(), seen.sent], ["undefined;", 0]);
    for (const times of [1, 2, 1]) {
      set(times);
      await until(`input ${times}`, () => it.text() === `${times};`);
    }
    set(0.5);
    await until("input 0.5", () => it.text() === "failed 400;");
    set(null);
    await until("input null", () => it.text() === "undefined;");
    same("requests of a changing input", seen.sent, 4);
    it.remove();
  }

  { // A fresh token for each attempt; reload, for all; the old answer stays meanwhile.
    const { client, seen } = counting();
    const key = `${Date.now()} ${Math.random()}`;
    let reload = () => {};
    const texts: string[] = [];
    function Limited(): ReactElement {
      const asked = api.useFunction(api.kindsLimited, { key, before: 1 });
      reload = asked.reload;
      texts.push(`${asked.data?.calls} ${asked.loading}`);
      return createElement("i", null, `${asked.data?.calls};`);
    }
    const it = show(within(client, createElement(Limited), createElement(Limited)));
    await until("429, then success", () => it.text() === "2;2;");
    same("tokens", [seen.sent, seen.tokens], [2, 2]);
    reload();
    await until("reload", () => it.text() === "3;3;");
    same("requests with reload", seen.sent, 3);
    if (!texts.includes("2 true")) faults.push(`reload showed ${texts.join(", ")}`);
    it.remove();
  }

  { // An action: a double click is one call; how it ends; each status with what it knows.
    const { client, seen } = counting();
    let action: api.Action<typeof api.kindsFail> | undefined;
    let once: api.Action<typeof api.kindsOnce> | undefined;
    let slow: api.Action<typeof api.kindsSlow> | undefined;
    function Acting(): ReactElement {
      action = api.useAction(api.kindsFail);
      once = api.useAction(api.kindsOnce);
      slow = api.useAction(api.kindsSlow);
      return createElement("i", null, slow.running ? "…" : action.error ? know(action.error) : "idle", once.data && !slow.running ? "once" : "");
    }
    const it = show(within(client, createElement(Acting)));
    await until("idle", () => it.text() === "idle");
    const [first, second] = [action?.run({ status: 409, code: 50388 }), action?.run({ status: 409, code: 50388 })];
    await until("409", () => it.text() === "409 50388");
    same("a double click", [first === second, seen.sent, (await first)?.ok], [true, 1, false]);
    await action?.run({} as api.KindsFailInput);
    await until("400", () => it.text() === "400 missing status");
    const ran = await once?.run({});
    await until("success", () => it.text() === "400 missing statusonce");
    same("success", ran?.ok && ran.data.runs > 0, true);
    const late = slow?.run({ for: "500ms" });
    await until("running", () => it.text() === "…");
    it.remove();
    same("an action whose component is gone", [(await late)?.ok, seen.aborted], [true, 0]);
  }

  { // Mocks: nothing is sent.
    const held: unknown[] = [];
    const it = show(createElement(api.MockFunctions, { mocks: [
      api.mock(api.kindsOptional, (input) => (held.push(input), { times: 40 + Number(input.times), success: true as const })),
      api.mock(api.kindsSlow, new api.FunctionError(503, { message: "Later" }, 1)),
    ] }, createElement(Times, { times: 2 }), createElement(Mocked)));
    function Mocked(): ReactElement {
      const slow = api.useFunction(api.kindsSlow, { for: 1 });
      const none = api.useFunction(api.kindsAnswersAny, {});
      return createElement("i", null, `${slow.error ? know(slow.error) : ""} ${none.error?.message ?? ""}`);
    }
    await until("mocks", () => it.text() ===
      "42;503 undefined The test has no mock for kindsAnswersAny: add mock(kindsAnswersAny, …) to the mocks of MockFunctions");
    same("mock's input", held, [{ times: 2 }]);
    it.remove();
  }

  { // Without a provider it says what is missing.
    let said = "";
    class Boundary extends Component<{ children?: ReactNode }, { failed: boolean }> {
      override state = { failed: false };
      static getDerivedStateFromError(e: Error) {
        said = e.message;
        return { failed: true };
      }
      override render(): ReactNode {
        return this.state.failed ? null : this.props.children;
      }
    }
    console.error = () => {}; // React reports what the boundary caught
    const it = show(createElement(Boundary, null, createElement(Times, { times: 1 })));
    await until("no provider", () => said.includes("useFunction needs a FunctionsProvider around the component"));
    it.remove();
  }
  return faults;
}

/** The fields of each status can be read without a cast, and no others. */
function know(error: api.CallError): string {
  switch (error.status) {
    case 400:
      return `400 missing ${error.missing.map((m) => m.key).join()}`;
    case 429:
    case 503:
      return `${error.status} ${error.retryAfterMs}`;
    default:
      // @ts-expect-error only a 400 has them
      void error.missing;
      return `${error.status} ${error.twilioErrorCode}`;
  }
}
