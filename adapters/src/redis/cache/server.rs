//! The server at hand, asked by the scripts of a generation: one that does not know them is not believed.

use std::sync::Arc;

use portcullis_core::ports::randomness::Randomness;
use redis::aio::ConnectionManager;
use redis::{Cmd, FromRedisValue, RedisError, Script};

use crate::redis::Redis;
use crate::redis::cache::scripts::Scripts;
use crate::redis::cache::view::{View, Views};

/// The server, and what is believed of it.
pub struct Server {
    pub redis: Arc<Redis>,
    pub randomness: Arc<dyn Randomness>,
    pub views: Views,
}

impl Server {
    pub fn key(&self, rest: &str) -> String {
        format!("{}cache:{rest}", self.redis.prefix)
    }

    /// Where the name of the last change is. Each generation has a place of its own: an old file of the server's may have
    /// an old name.
    pub fn last_change(&self, view: &View) -> String {
        self.key(&format!("change:{}", view.epoch.generation))
    }

    /// Asks by a script of a view's generation. A server that does not know it is not the one, and nothing is believed.
    pub async fn ask_as<T: FromRedisValue>(
        &self,
        view: &View,
        script: impl FnOnce(&Scripts) -> &Script,
        keys: &[String],
        arguments: impl FnOnce(&mut Cmd) + Send,
    ) -> Option<T> {
        let mut question = redis::cmd("EVALSHA");
        question.arg(script(&view.scripts).get_hash()).arg(keys.len() + 1).arg(self.key("generation")).arg(keys);
        question.arg(&view.epoch.generation);
        arguments(&mut question);
        let ask =
            async move |mut connection: ConnectionManager| known(question.query_async::<T>(&mut connection).await);
        let answer = self.redis.ask(ask).await?;
        if answer.is_none() {
            self.views.set(None);
        }
        answer
    }

    pub fn random<const LENGTH: usize>(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        self.randomness.fill(&mut bytes);
        bytes
    }
}

/// A script that the server does not know is an answer too.
fn known<T>(answer: Result<T, RedisError>) -> Result<Option<T>, RedisError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code() == Some("NOSCRIPT") => Ok(None),
        Err(error) => Err(error),
    }
}
