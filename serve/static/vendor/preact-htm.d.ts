// The types of preact-htm.js, for the tests. They come from npm, see tests/pages/tsconfig.json.
export { Component, createContext, h, render } from "preact";
export * from "preact/hooks";
export declare const html: (strings: TemplateStringsArray, ...values: unknown[]) => import("preact").VNode;
