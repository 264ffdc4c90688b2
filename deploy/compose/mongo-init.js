// Run by mongosh in the network of the first node: makes the replica set and its users. A second run changes nothing.
const fs = require("fs");
const secret = (name) => fs.readFileSync(`/run/secrets/${name}`, "utf8").trim();
const nodes = ["mongo1", "mongo2", "mongo3"];
const url = "mongodb://127.0.0.1:27017/?directConnection=true";
const root = `mongodb://root:${secret("root_password")}@127.0.0.1:27017/admin?directConnection=true`;

const primary = (connection) => {
  for (let tries = 0; tries < 60; tries += 1) {
    if (connection.getDB("admin").hello().isWritablePrimary) return;
    sleep(1000);
  }
  throw new Error("no primary was elected within a minute");
};

let first;
try {
  first = new Mongo(root);
} catch (error) {
  const members = nodes.map((node, id) => ({ _id: id, host: `${node}:27017`, priority: id === 0 ? 2 : 1 }));
  const open = new Mongo(url);
  try {
    open.getDB("admin").runCommand({ replSetInitiate: { _id: "rs0", members } });
  } catch (already) {
    if (already.codeName !== "AlreadyInitialized") throw already;
  }
  primary(open);
  open.getDB("admin").createUser({ user: "root", pwd: secret("root_password"), roles: ["root"] });
  first = new Mongo(root);
}
primary(first);
const users = first.getDB("portcullis");
if (users.getUser("portcullis") === null) {
  users.createUser({ user: "portcullis", pwd: secret("portcullis_password"), roles: ["readWrite", "dbAdmin"] });
}
