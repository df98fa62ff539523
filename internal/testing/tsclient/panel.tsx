// What the guide shows of a plugin's components.
import * as React from "react";
import { FunctionsProvider, MockFunctions, flexGreet, fromFlex, mock, useAction, useFunction } from "./functions.js";

declare const manager: Parameters<typeof fromFlex>[0];

const client = fromFlex(manager);

export const Panel = () => (
  <FunctionsProvider client={client}>
    <Greeting name="Ada" />
    <GreetButton name="Ada" />
  </FunctionsProvider>
);

function Greeting({ name }: { name: string }) {
  const { data, error, reload } = useFunction(flexGreet, { name }); // asks when it is shown
  if (error?.status === 403) return <p>You may not do that.</p>;
  if (error) return <p>{error.message} <button onClick={reload}>Try again</button></p>;
  return <p>{data ? data.greeting : "…"}</p>;
}

function GreetButton({ name }: { name: string }) {
  const { run, running } = useAction(flexGreet); // calls when it is told to
  return <button disabled={running} onClick={() => run({ name, times: 2 })}>Greet</button>;
}

export const underTest = (
  <MockFunctions mocks={[mock(flexGreet, { greeting: "Hello Ada!", from: "a worker", success: true })]}>
    <Greeting name="Ada" />
  </MockFunctions>
);
