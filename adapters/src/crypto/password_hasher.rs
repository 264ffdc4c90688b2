//! [`PasswordHasher`] with Argon2id, on its own threads (`HASH_THREADS`, by default one for each core). They have a
//! lower priority than the threads that handle requests, and each reuses its memory. A full queue refuses a hash at
//! once. The hash of a client that disconnects before its turn is not computed.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use portcullis_core::model::password::Password;
use portcullis_core::model::user::PasswordHash;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::password_hasher::{HashError, PasswordHasher};
use tokio::sync::oneshot;
use tracing::Instrument as _;

use crate::crypto::hash_queue::{Full, HashQueue, REQUESTER};
use crate::trace_spans;

const PORT: &str = "password_hasher";
/// Bytes of a new hash.
const OUTPUT: usize = 32;
/// The most KiB of memory that a stored hash may need: 1 GiB.
const MEMORY_MAX: u32 = 1 << 20;

/// The cost of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    /// KiB of memory.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
}

/// One hash to compute.
struct Job {
    password: Password,
    salt: Vec<u8>,
    parameters: Parameters,
    algorithm: Algorithm,
    length: usize,
    queued: Instant,
    answer: oneshot::Sender<Result<Vec<u8>, HashError>>,
}

struct State {
    queue: HashQueue<Job>,
    stopping: bool,
}

/// Receives the time that a hash has waited in the queue.
type WaitObserver = Box<dyn Fn(Duration) + Send + Sync>;

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    wait_observer: OnceLock<WaitObserver>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The hashing threads and their queue.
pub struct Argon2Pool {
    shared: Arc<Shared>,
    parameters: Parameters,
}

impl Argon2Pool {
    /// Starts `threads` threads with room for `queue` waiting hashes.
    ///
    /// # Errors
    /// If Argon2 refuses the parameters, or a thread can't be started.
    pub fn start(parameters: Parameters, threads: usize, queue: usize) -> Result<Self, PortError> {
        params(&parameters, OUTPUT)?;
        let state = State { queue: HashQueue::new(queue.max(1)), stopping: false };
        let shared =
            Arc::new(Shared { state: Mutex::new(state), work: Condvar::new(), wait_observer: OnceLock::new() });
        for number in 0..threads.max(1) {
            let shared = shared.clone();
            let started =
                thread::Builder::new().name(format!("hash-{number}")).spawn(move || run_hashing_thread(&shared));
            started.map_err(|error| PortError::new(PORT, error))?;
        }
        Ok(Self { shared, parameters })
    }

    /// Sets the function that receives the waiting time of each hash. Only the first call has an effect.
    pub fn observe_waits(&self, observer: impl Fn(Duration) + Send + Sync + 'static) {
        let _ = self.shared.wait_observer.set(Box::new(observer));
    }

    /// The number of queued hashes.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.lock().queue.waiting()
    }

    async fn compute(&self, password: Password, stored: &PhcParts) -> Result<Vec<u8>, HashError> {
        let (answer, computed) = oneshot::channel();
        let job = Job {
            password,
            salt: stored.salt.clone(),
            parameters: stored.parameters,
            algorithm: stored.algorithm,
            length: stored.length,
            queued: Instant::now(),
            answer,
        };
        {
            let requester = REQUESTER.try_with(Clone::clone).unwrap_or_default();
            let mut state = self.shared.lock();
            // clients that have disconnected free their places
            state.queue.retain(|job| !job.answer.is_closed());
            match state.queue.push(requester, job) {
                Ok(None) => {}
                Ok(Some(evicted)) => {
                    let _ = evicted.answer.send(Err(HashError::Overloaded));
                }
                Err(Full(_)) => return Err(HashError::Overloaded),
            }
        }
        self.shared.work.notify_one();
        computed
            .instrument(trace_spans::hash())
            .await
            .map_err(|_| PortError::new(PORT, "the hashing threads are gone"))?
    }
}

impl Drop for Argon2Pool {
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.work.notify_all();
    }
}

/// The loop of a hashing thread: takes jobs from the queue until the queue is empty and the pool stops.
fn run_hashing_thread(shared: &Shared) {
    // lower than the threads that handle requests; if the system refuses, hashing competes with them
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), 10);
    let mut memory: Vec<Block> = Vec::new();
    loop {
        let mut state = shared.lock();
        let job = loop {
            if let Some(job) = state.queue.pop() {
                break job;
            }
            if state.stopping {
                return;
            }
            state = shared.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        drop(state);
        if !job.answer.is_closed() {
            if let Some(observe) = shared.wait_observer.get() {
                observe(job.queued.elapsed());
            }
            let computed = hash(&job, &mut memory);
            let _ = job.answer.send(computed.map_err(HashError::from));
        }
    }
}

fn params(parameters: &Parameters, length: usize) -> Result<Params, PortError> {
    Params::new(parameters.memory_kib, parameters.iterations, parameters.parallelism, Some(length))
        .map_err(|error| PortError::new(PORT, error.to_string()))
}

fn hash(job: &Job, memory: &mut Vec<Block>) -> Result<Vec<u8>, PortError> {
    let params = params(&job.parameters, job.length)?;
    let blocks = params.block_count();
    if memory.len() < blocks {
        memory.resize(blocks, Block::default());
    }
    let argon2 = Argon2::new(job.algorithm, Version::V0x13, params);
    let mut output = vec![0; job.length];
    let arena = memory.get_mut(..blocks).unwrap_or_default();
    argon2
        .hash_password_into_with_memory(job.password.expose().as_bytes(), &job.salt, &mut output, arena)
        .map_err(|error| PortError::new(PORT, error.to_string()))?;
    Ok(output)
}

/// The parts of a PHC string, without its hash.
struct PhcParts {
    algorithm: Algorithm,
    parameters: Parameters,
    salt: Vec<u8>,
    length: usize,
}

impl PhcParts {
    /// The PHC string with a hash.
    fn to_phc(&self, output: &[u8]) -> PasswordHash {
        let Parameters { memory_kib, iterations, parallelism } = self.parameters;
        let name = self.algorithm.as_str();
        let (salt, output) = (STANDARD_NO_PAD.encode(&self.salt), STANDARD_NO_PAD.encode(output));
        PasswordHash::new(format!("${name}$v=19$m={memory_kib},t={iterations},p={parallelism}${salt}${output}"))
    }

    /// Parses `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`. `None` if a parameter or a length is out of bounds.
    fn parse(hash: &PasswordHash) -> Option<Self> {
        let mut parts = hash.as_str().split('$');
        let ("", name, "v=19") = (parts.next()?, parts.next()?, parts.next()?) else { return None };
        let algorithm = match name {
            "argon2id" => Algorithm::Argon2id,
            "argon2i" => Algorithm::Argon2i,
            _ => return None,
        };
        let mut numbers = parts.next()?.split(',');
        let mut number = |key: &str| numbers.next()?.strip_prefix(key)?.parse::<u32>().ok();
        let parameters =
            Parameters { memory_kib: number("m=")?, iterations: number("t=")?, parallelism: number("p=")? };
        let (salt, output) = (STANDARD_NO_PAD.decode(parts.next()?).ok()?, STANDARD_NO_PAD.decode(parts.next()?).ok()?);
        let has_bounded_cost =
            parameters.memory_kib <= MEMORY_MAX && parameters.iterations <= 64 && parameters.parallelism <= 16;
        let has_valid_shape =
            parts.next().is_none() && (8..=64).contains(&salt.len()) && (16..=64).contains(&output.len());
        (has_bounded_cost && has_valid_shape).then_some(Self { algorithm, parameters, salt, length: output.len() })
    }
}

#[async_trait]
impl PasswordHasher for Argon2Pool {
    async fn hash(&self, password: Password, salt: [u8; 16]) -> Result<PasswordHash, HashError> {
        let wanted = PhcParts {
            algorithm: Algorithm::Argon2id,
            parameters: self.parameters,
            salt: salt.to_vec(),
            length: OUTPUT,
        };
        let output = self.compute(password, &wanted).await?;
        Ok(wanted.to_phc(&output))
    }

    async fn hash_like(&self, password: Password, stored: PasswordHash) -> Result<PasswordHash, HashError> {
        let stored = parse_stored(&stored)?;
        let output = self.compute(password, &stored).await?;
        Ok(stored.to_phc(&output))
    }

    async fn hash_with_salt_of(&self, password: Password, stored: PasswordHash) -> Result<PasswordHash, HashError> {
        let (algorithm, parameters, length) = (Algorithm::Argon2id, self.parameters, OUTPUT);
        let wanted = PhcParts { algorithm, parameters, length, ..parse_stored(&stored)? };
        let output = self.compute(password, &wanted).await?;
        Ok(wanted.to_phc(&output))
    }

    fn decoy_like(&self, stored: &PasswordHash, salt: [u8; 16]) -> Option<PasswordHash> {
        let wanted = PhcParts { salt: salt.to_vec(), ..PhcParts::parse(stored)? };
        Some(wanted.to_phc(&vec![0; wanted.length]))
    }

    fn is_outdated(&self, stored: &PasswordHash) -> bool {
        let stored = PhcParts::parse(stored);
        stored.is_none_or(|stored| {
            stored.parameters != self.parameters || stored.algorithm != Algorithm::Argon2id || stored.length != OUTPUT
        })
    }
}

fn parse_stored(hash: &PasswordHash) -> Result<PhcParts, PortError> {
    PhcParts::parse(hash).ok_or_else(|| PortError::new(PORT, "a stored hash cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Parameters = Parameters { memory_kib: 64, iterations: 1, parallelism: 1 };

    fn password(text: &str) -> Password {
        Password::from_login_input(text).unwrap()
    }

    #[tokio::test]
    async fn makes_and_reads_phc_strings() {
        let pool = Argon2Pool::start(CHEAP, 2, 8).unwrap();
        let hash = pool.hash(password("pässword"), [7; 16]).await.unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{}", hash.as_str());
        assert!(pool.hash_like(password("pässword"), hash.clone()).await.unwrap().matches(&hash));
        assert!(!pool.is_outdated(&hash));
        assert!(!pool.hash_like(password("other"), hash.clone()).await.unwrap().matches(&hash));
        let costlier = Argon2Pool::start(Parameters { iterations: 2, ..CHEAP }, 1, 8).unwrap();
        assert!(costlier.hash_like(password("pässword"), hash.clone()).await.unwrap().matches(&hash));
        assert!(costlier.is_outdated(&hash));
        let renewed = costlier.hash_with_salt_of(password("pässword"), hash).await.unwrap();
        assert!(costlier.hash(password("pässword"), [7; 16]).await.unwrap().matches(&renewed));
    }

    #[tokio::test]
    async fn agrees_with_the_reference_implementation() {
        // the second test of the reference implementation's test.c: t=2, m=256, p=1
        let hash =
            PasswordHash::new("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4");
        let pool = Argon2Pool::start(CHEAP, 1, 8).unwrap();
        assert!(pool.hash_like(password("password"), hash.clone()).await.unwrap().matches(&hash));
        assert!(pool.is_outdated(&hash));
    }

    /// Polls a future once: enough to queue its hash.
    async fn poll_once<T>(future: &mut std::pin::Pin<Box<impl Future<Output = T>>>) -> Option<T> {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(match future.as_mut().poll(context) {
                std::task::Poll::Ready(value) => Some(value),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once_and_a_disconnected_client_frees_its_place() {
        let slow = Parameters { memory_kib: 65_536, iterations: 16, parallelism: 1 };
        let pool = Argon2Pool::start(slow, 1, 1).unwrap();
        let mut running = Box::pin(pool.hash(password("a"), [0; 16]));
        assert!(poll_once(&mut running).await.is_none());
        while pool.waiting() > 0 {
            tokio::task::yield_now().await;
        }
        let mut waiting = Box::pin(pool.hash(password("b"), [0; 16]));
        assert!(poll_once(&mut waiting).await.is_none());
        let mut refused = Box::pin(pool.hash(password("c"), [0; 16]));
        assert!(matches!(poll_once(&mut refused).await, Some(Err(HashError::Overloaded))));
        drop(waiting);
        let mut next = Box::pin(pool.hash(password("d"), [0; 16]));
        assert!(poll_once(&mut next).await.is_none(), "the place of the disconnected client is free");
        assert!(running.await.is_ok());
    }

    #[test]
    fn hashes_that_would_exhaust_us_are_not_computed() {
        for text in [
            "",
            "$argon2id$v=19$m=99999999,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg",
            "$2b$10$abc",
            "$argon2id$v=19$m=64,t=1,p=1$$",
        ] {
            assert!(PhcParts::parse(&PasswordHash::new(text)).is_none(), "{text}");
        }
    }
}
