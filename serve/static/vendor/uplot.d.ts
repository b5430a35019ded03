// The types of uplot.js, for the tests. They come from npm, see tests/pages/tsconfig.json.
export { default } from "uplot";
