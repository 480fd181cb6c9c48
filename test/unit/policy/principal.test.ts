import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../../../src/errors.js";
import {
  coversPrincipal,
  matchesPrincipal,
  type Principal,
  parsePrincipal,
  parsePrincipalPattern,
} from "../../../src/policy/principal.js";

const matches = (pattern: string, principal: string) =>
  matchesPrincipal(parsePrincipalPattern(pattern), parsePrincipal(principal) as Principal);

test("the parts of a principal, with what the library writes behind a backslash", () => {
  const table: [text: string, parts: string[] | null][] = [
    ["alice@EXAMPLE.TEST", ["alice", "EXAMPLE.TEST"]],
    ["host/db.example.test@EXAMPLE.TEST", ["host", "db.example.test", "EXAMPLE.TEST"]],
    ["a\\/b@R", ["a/b", "R"]],
    ["a\\@b@R", ["a@b", "R"]],
    ["a\\\\@R", ["a\\", "R"]],
    ["a\\nb\\tc\\bd\\0e@R", ["a\nb\tc\bd\0e", "R"]],
    ["a@R/b", ["a", "R/b"]],
    ["alice", null],
    ["DOM\\alice", null],
    ["@R", null],
    ["alice@", null],
    ["a//b@R", null],
    ["alice@R@S", null],
    ["alice@R\\", null],
  ];
  for (const [text, parts] of table) {
    const parsed = parsePrincipal(text);
    assert.deepEqual(parsed && [...parsed.components, parsed.realm], parts, text);
  }
});

test("people are neither services nor machines", () => {
  const people = ["alice@R", "a\\/b@R", "alice$x@R"];
  const others = [
    "host/alice@R",
    "alice/admin@R",
    "PC1$@R",
    "alice@S",
    "alice@r",
    "Alice/@R".replace("/", "\\$"),
  ];
  for (const principal of people) assert.ok(matches("*@R", principal), principal);
  for (const principal of others) assert.ok(!matches("*@R", principal), principal);
});

test("what a pattern matches", () => {
  const table: [pattern: string, principal: string, is: boolean][] = [
    ["alice@R", "alice@R", true],
    ["alice@R", "Alice@R", false],
    ["alice@R", "alice@R.TEST", false],
    ["alice@*", "alice@ANY.TEST", true],
    ["*@*", "bob@ANY.TEST", true],
    ["*@*", "host/a@ANY.TEST", false],
    ["*$@R", "PC1$@R", true],
    ["*$@R", "alice@R", false],
    ["host/*@R", "host/db.test@R", true],
    ["host/*@R", "host/PC1$@R", true],
    ["host/*@R", "host/db.test/x@R", false],
    ["host/*@R", "host@R", false],
    ["host/*@R", "http/db.test@R", false],
    ["*/admin@R", "alice/admin@R", true],
    ["*/*@R", "a/b@R", true],
    ["*/*/*@R", "a/b/c@R", true],
    ["a\\/b@R", "a\\/b@R", true],
    ["a\\/b@R", "a/b@R", false],
  ];
  for (const [pattern, principal, is] of table)
    assert.equal(matches(pattern, principal), is, `${pattern} ${principal}`);
});

test("a pattern covers another where it matches all that the other does", () => {
  const table: [outer: string, inner: string, is: boolean][] = [
    ["*@R", "alice@R", true],
    ["*@R", "PC1$@R", false],
    ["*@R", "*$@R", false],
    ["*@*", "*@R", true],
    ["*@R", "*@*", false],
    ["host/*@R", "host/db@R", true],
    ["*/*@R", "host/*@R", true],
    ["host/*@R", "*/*@R", false],
    ["*/*@R", "*/*$@R", true],
    ["alice@R", "alice@R", true],
  ];
  for (const [outer, inner, is] of table)
    assert.equal(
      coversPrincipal(parsePrincipalPattern(outer), parsePrincipalPattern(inner)),
      is,
      `${outer} ${inner}`,
    );
});

test("what is wrong with a pattern is said", () => {
  for (const text of [
    "",
    "alice",
    "a*@R",
    "*a@R",
    "host/db*@R",
    "alice@R*",
    "alice@*$",
    "@R",
    "**@R",
    "DOM\\alice",
  ])
    assert.throws(() => parsePrincipalPattern(text), UsageError, text);
  assert.throws(() => parsePrincipalPattern("al*@R"), /a \* only as a whole part.*found "al\*@R"/);
});
