// Reads an AsyncAPI document with the reference parser; prints what it has to say, and how much of it is an error.
import { Parser, fromFile } from "@asyncapi/parser";

const { document, diagnostics } = await fromFile(new Parser(), process.argv[2]).parse();
const findings = diagnostics.map(({ severity, code, message, path }) => ({ severity, code, message, path: path.join(".") }));
const messages = document?.messages().all().map((message) => message.id()) ?? [];
console.log(JSON.stringify({ errors: findings.filter(({ severity }) => severity === 0).length, findings, messages }));
