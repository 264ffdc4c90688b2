//! Everything that a server of a test keeps for one deployment, as bytes to search.

use futures_util::TryStreamExt as _;
use mongodb::bson::{Document, doc};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// All documents of a database.
pub async fn mongo(url: &str, database: &str) -> Result<Vec<u8>, Error> {
    let database = mongodb::Client::with_uri_str(url).await?.database(database);
    let mut dumped = Vec::new();
    for name in database.list_collection_names().await? {
        let all: Vec<Document> = database.collection(&name).find(doc! {}).await?.try_collect().await?;
        for document in all {
            dumped.extend(document.to_vec()?);
        }
    }
    Ok(dumped)
}

/// All keys with a prefix, and their values.
pub async fn redis(url: &str, prefix: &str) -> Result<Vec<u8>, Error> {
    let mut connection = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
    let keys: Vec<String> = redis::cmd("KEYS").arg(format!("{prefix}*")).query_async(&mut connection).await?;
    let mut dumped = Vec::new();
    for key in keys {
        // whatever its type
        let value: Option<Vec<u8>> = redis::cmd("DUMP").arg(&key).query_async(&mut connection).await?;
        dumped.extend(key.into_bytes());
        dumped.extend(value.unwrap_or_default());
    }
    Ok(dumped)
}

/// Forgets all keys with a prefix: a server's others are other tests'.
pub async fn empty_redis(url: &str, prefix: &str) -> Result<(), Error> {
    let mut connection = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
    let keys: Vec<String> = redis::cmd("KEYS").arg(format!("{prefix}*")).query_async(&mut connection).await?;
    for key in keys {
        let _: i64 = redis::cmd("DEL").arg(&key).query_async(&mut connection).await?;
    }
    Ok(())
}
