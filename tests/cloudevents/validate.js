// Reads one file name a line, and says of each file whether it validates against the official JSON schema of CloudEvents 1.0, as
// the official JavaScript SDK ships it: "ok", or the errors as JSON. The first argument is where that is installed.

"use strict";

const fs = require("fs");
const path = require("path");

const validate = require(path.resolve(process.argv[2], "node_modules/cloudevents/dist/schema/v1.js"));
for (const name of fs.readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  const fine = validate(JSON.parse(fs.readFileSync(name, "utf8")));
  console.log(fine ? "ok" : JSON.stringify(validate.errors));
}
