//! What an instance knows of epoch and generation, until when it believes it, and how it comes to know.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use portcullis_core::ports::error::PortError;
use portcullis_core::ports::randomness::Randomness;
use redis::Script;

use crate::redis::Redis;
use crate::redis::cache::copy::header;
use crate::redis::cache::scripts::{CLAIM, Scripts};
use crate::redis::cache::{Epoch, Epochs, LOOK_EVERY, TRUST};

/// The oldest Redis whose replicas do not know the scripts of the server they copy.
const OLDEST: u32 = 7;
/// Between two generations begun by one instance: two that look at different servers must not keep each other busy.
const BEGIN_AGAIN: Duration = Duration::from_secs(5);

/// What is believed.
pub struct View {
    pub epoch: Epoch,
    pub scripts: Arc<Scripts>,
    /// What stands in front of every copy.
    pub header: Vec<u8>,
    until: Instant,
}

/// The view, shared by all who ask.
#[derive(Clone, Default)]
pub struct Views(Arc<RwLock<Option<Arc<View>>>>);

impl Views {
    /// What is believed right now.
    pub fn now(&self) -> Option<Arc<View>> {
        self.last().filter(|view| Instant::now() < view.until)
    }

    fn last(&self) -> Option<Arc<View>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set(&self, view: Option<View>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = view.map(Arc::new);
    }
}

/// Who looks.
pub struct Looking {
    pub redis: Arc<Redis>,
    pub epochs: Arc<dyn Epochs>,
    pub randomness: Arc<dyn Randomness>,
    pub views: Views,
}

impl Looking {
    /// Looks for ever.
    pub async fn keep(self) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut began: Option<Instant> = None;
        let mut plain = false;
        loop {
            ticks.tick().await;
            let until = Instant::now() + TRUST;
            let Ok(epoch) = self.epochs.current().await else { continue };
            if epoch.plain {
                // an instance without Redis takes no copy back
                self.views.set(None);
                if !std::mem::replace(&mut plain, true) {
                    tracing::warn!(
                        "REDIS_URL: instances without Redis have used this database, so that nothing is answered from copies. \
                         Once all have it, `portcullis migrate --with-copies` switches that on"
                    );
                }
                continue;
            }
            let scripts = match self.views.last() {
                Some(view) if view.epoch.generation == epoch.generation => view.scripts.clone(),
                _ => Arc::new(Scripts::of(&epoch.generation)),
            };
            match self.is_alive(&epoch.generation, &scripts).await {
                Some(true) => {
                    let header = header(epoch.copies, &epoch.generation);
                    self.views.set(Some(View { epoch, scripts, header, until }));
                }
                Some(false) if began.is_none_or(|began| began.elapsed() > BEGIN_AGAIN) => {
                    self.views.set(None);
                    began = Some(Instant::now());
                    if let Err(error) = self.begin(&epoch.generation).await {
                        tracing::warn!("copies in Redis cannot begin: {error}");
                    }
                }
                Some(false) => self.views.set(None),
                // away: what is believed runs out by itself
                None => {}
            }
        }
    }

    fn key(&self) -> String {
        format!("{}cache:generation", self.redis.prefix)
    }

    /// Whether the server that is asked is the one that knows this generation. `None` is no answer.
    async fn is_alive(&self, generation: &str, scripts: &Arc<Scripts>) -> Option<bool> {
        let (key, scripts, generation) = (self.key(), scripts.clone(), generation.to_owned());
        let asked = self.redis.ask(async move |mut connection| {
            let mut question = redis::pipe();
            question.cmd("GET").arg(key).cmd("INFO").arg("replication").cmd("SCRIPT").arg("EXISTS");
            for script in scripts.all() {
                question.arg(script.get_hash());
            }
            question.query_async::<(Option<String>, String, Vec<i64>)>(&mut connection).await
        });
        let (found, told, known) = asked.await?;
        // a server that became a replica, and perhaps a primary again, is not the one that the generation began on
        let same = history(&told).is_some_and(|history| generation.ends_with(history));
        Some(found == Some(generation) && same && known.iter().all(|known| *known == 1))
    }

    /// A new generation: in the store first, then, once nobody believes the one before, on the server at hand.
    async fn begin(&self, seen: &str) -> Result<(), PortError> {
        let mut name = [0; 16];
        self.randomness.fill(&mut name);
        let Some(history) = self.fit().await else { return Ok(()) };
        let fresh = format!("{:032x}-{history}", u128::from_be_bytes(name));
        if !self.epochs.begin(seen, &fresh).await? {
            return Ok(());
        }
        tokio::time::sleep(TRUST + Duration::from_millis(20)).await;
        let key = self.key();
        let claimed = self.redis.ask(async move |mut connection| {
            for script in Scripts::of(&fresh).all() {
                script.load_async(&mut connection).await?;
            }
            Script::new(CLAIM).key(key).arg(&fresh).invoke_async::<i64>(&mut connection).await
        });
        claimed.await;
        Ok(())
    }

    /// The history of the server's data, if it is one that forgets scripts when it should: imitations, old versions and
    /// replicas do not.
    async fn fit(&self) -> Option<String> {
        let told = self.redis.ask(async move |mut connection| {
            let mut question = redis::pipe();
            question.cmd("INFO").arg("server").cmd("INFO").arg("replication");
            question.query_async::<(String, String)>(&mut connection).await
        });
        let (server, replication) = told.await?;
        let major = server.lines().find_map(|line| {
            line.strip_prefix("redis_version:").and_then(|version| version.split('.').next()?.parse::<u32>().ok())
        });
        let fit = major.is_some_and(|major| major >= OLDEST) && !server.contains("dragonfly_version");
        history(&replication).filter(|_| fit).map(str::to_owned)
    }
}

/// What a primary calls the history of its data; it has another one after every change of primaries.
fn history(told: &str) -> Option<&str> {
    let of = |name: &str| told.lines().find_map(|line| line.strip_prefix(name));
    if of("role:") != Some("master") {
        return None;
    }
    of("master_replid:").filter(|history| !history.is_empty())
}
