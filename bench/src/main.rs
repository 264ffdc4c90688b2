//! Upper bounds of this machine (`hash`, `writes`, `mongo-writes`, `serve`), and probes that a load generator
//! lacks (`paced`, `timing`, `overload`, `accounts`, `hostile`). Each prints one line of JSON; `cargo xtask bench` calls them and
//! puts them in a table.

mod accounts;
mod client;
mod hash;
mod hostile;
mod overload;
mod paced;
mod serve;
mod timing;
mod writes;

use anyhow::{Context as _, Result, bail};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let told = match words.as_slice() {
        ["hash", threads, seconds] => hash::run(number(threads)?, number(seconds)?)?,
        ["writes", folder, group, seconds] => writes::run(folder.as_ref(), number(group)?, number(seconds)?)?,
        ["mongo-writes", url, tasks, seconds] => {
            runtime.block_on(writes::mongo(url, number(tasks)?, number(seconds)?))?
        }
        ["serve", port, secret, issuer] => runtime.block_on(serve::run(number(port)?, secret, issuer, None))?,
        ["serve", port, secret, issuer, redis] => {
            runtime.block_on(serve::run(number(port)?, secret, issuer, Some(redis)))?
        }
        ["paced", address, token, rate, seconds] => {
            runtime.block_on(paced::run(address, token, number(rate)?, number(seconds)?))?
        }
        ["timing", address, password, operation, pairs] => {
            runtime.block_on(timing::run(address, password, operation, number(pairs)?))?
        }
        ["overload", address, password, count] => runtime.block_on(overload::run(address, password, number(count)?))?,
        ["accounts", address, password, count] => runtime.block_on(accounts::run(address, password, number(count)?))?,
        ["hostile", address, kind, connections, addresses, seconds] => {
            let (connections, addresses) = (number(connections)?, number(addresses)?);
            runtime.block_on(hostile::run(address, kind, connections, addresses, number(seconds)?))?
        }
        _ => bail!(
            "usage: portcullis-bench hash | writes | mongo-writes | serve | paced | timing | overload | accounts | hostile …"
        ),
    };
    println!("{told}");
    Ok(())
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().ok().with_context(|| format!("{text} is no number"))
}
