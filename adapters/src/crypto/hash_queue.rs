//! The queue in front of the hashing threads: fair by network, so that one network with many clients can't keep the
//! others waiting, and with places for clients that have logged in before.

use std::cmp::Reverse;
use std::collections::HashMap;

tokio::task_local! {
    /// The client that the current task computes hashes for.
    pub static REQUESTER: Requester;
}

/// Networks whose last turn is remembered.
const MAX_NETWORKS: usize = 4096;
/// One place in four is reserved for known clients.
const RESERVED: usize = 4;

/// The client that a hash is computed for.
#[derive(Debug, Clone, Default)]
pub struct Requester {
    /// The networks that the client is in, the largest first.
    pub networks: Vec<Vec<u8>>,
    /// Whether the client has logged in before.
    pub known: bool,
}

struct Waiting<J> {
    requester: Requester,
    arrived: u64,
    job: J,
}

/// Jobs that wait, at most so many.
pub(super) struct HashQueue<J> {
    waiting: Vec<Waiting<J>>,
    capacity: usize,
    /// When each network had its last turn.
    served: HashMap<Vec<u8>, u64>,
    clock: u64,
}

/// A queue without a place for a job.
pub(super) struct Full<J>(pub J);

impl<J> HashQueue<J> {
    /// An empty queue.
    pub fn new(capacity: usize) -> Self {
        Self { waiting: Vec::new(), capacity, served: HashMap::new(), clock: 0 }
    }

    /// The number of queued jobs.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Removes jobs.
    pub fn retain(&mut self, mut keeps: impl FnMut(&J) -> bool) {
        self.waiting.retain(|one| keeps(&one.job));
    }

    /// Queues a job. A full queue drops the newest job of the network with most jobs, if that network has more than the
    /// network of the new job would have. Returns the dropped job.
    ///
    /// # Errors
    /// The new job itself, if no other one is dropped.
    pub fn push(&mut self, requester: Requester, job: J) -> Result<Option<J>, Full<J>> {
        let evicted = if self.has_place(&requester) {
            None
        } else {
            let newcomer: Vec<usize> = self.counts(&requester).into_iter().map(|count| count + 1).collect();
            let same_kind = self.waiting.iter().enumerate().filter(|(_, one)| one.requester.known == requester.known);
            let heaviest = same_kind.map(|(at, one)| (self.counts(&one.requester), one.arrived, at)).max();
            match heaviest {
                Some((counts, _, at)) if counts > newcomer => Some(self.waiting.remove(at).job),
                _ => return Err(Full(job)),
            }
        };
        self.clock += 1;
        self.waiting.push(Waiting { requester, arrived: self.clock, job });
        Ok(evicted)
    }

    fn has_place(&self, requester: &Requester) -> bool {
        let unknown = self.waiting.iter().filter(|one| !one.requester.known).count();
        let open = self.capacity - self.capacity / RESERVED;
        self.waiting.len() < self.capacity && (requester.known || unknown < open)
    }

    /// How many jobs wait for each of these networks.
    fn counts(&self, requester: &Requester) -> Vec<usize> {
        let of = |network| self.waiting.iter().filter(|one| one.requester.networks.contains(network)).count();
        requester.networks.iter().map(of).collect()
    }

    /// The next job: of the network whose last turn is longest ago, and within it of such a smaller one.
    pub fn pop(&mut self) -> Option<J> {
        let last_turns = |one: &Waiting<J>| {
            let turn = |network| self.served.get(network).copied().unwrap_or_default();
            let turns: Vec<u64> = one.requester.networks.iter().map(turn).collect();
            (turns, one.arrived)
        };
        let (at, _) = self.waiting.iter().enumerate().min_by_key(|(_, one)| last_turns(one))?;
        let Waiting { requester, job, .. } = self.waiting.remove(at);
        self.clock += 1;
        for network in requester.networks {
            self.served.insert(network, self.clock);
        }
        self.forget_old_turns();
        Some(job)
    }

    fn forget_old_turns(&mut self) {
        if self.served.len() > MAX_NETWORKS {
            let mut turns: Vec<u64> = self.served.values().copied().collect();
            turns.sort_unstable_by_key(|turn| Reverse(*turn));
            let oldest_kept = turns.get(MAX_NETWORKS / 2).copied().unwrap_or_default();
            self.served.retain(|_, turn| *turn > oldest_kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client of an IPv6 address, by its /48, /56 and /64.
    fn client(networks: [u8; 3], known: bool) -> Requester {
        let [a, b, c] = networks;
        Requester { networks: vec![vec![a], vec![a, b], vec![a, b, c]], known }
    }

    fn stranger(network: u8) -> Requester {
        client([network, 0, 0], false)
    }

    /// Pushes a job, and returns the dropped one, which may be the new one.
    fn push(queue: &mut HashQueue<&'static str>, requester: Requester, job: &'static str) -> Option<&'static str> {
        queue.push(requester, job).unwrap_or_else(|Full(job)| Some(job))
    }

    fn all(queue: &mut HashQueue<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn networks_take_turns_and_within_one_its_smaller_ones() {
        let mut queue = HashQueue::new(64);
        for job in ["a1", "a2", "a3"] {
            assert_eq!(push(&mut queue, client([1, 1, 1], false), job), None);
        }
        push(&mut queue, client([1, 2, 1], false), "b1");
        push(&mut queue, stranger(2), "c1");
        push(&mut queue, stranger(3), "d1");
        assert_eq!(all(&mut queue), ["a1", "c1", "d1", "b1", "a2", "a3"]);
    }

    #[test]
    fn in_a_full_queue_the_network_with_most_jobs_loses_one() {
        let mut queue = HashQueue::new(4);
        for job in ["a1", "a2", "a3"] {
            assert_eq!(push(&mut queue, stranger(1), job), None);
        }
        assert_eq!(push(&mut queue, stranger(1), "a4"), Some("a4"), "the last place is for a known client");
        assert_eq!(push(&mut queue, stranger(2), "b1"), Some("a3"));
        assert_eq!(push(&mut queue, stranger(3), "c1"), Some("a2"));
        assert_eq!(push(&mut queue, stranger(4), "d1"), Some("d1"), "no network has more than the new one would");
        assert_eq!(push(&mut queue, client([5, 0, 0], true), "known"), None);
        assert_eq!(push(&mut queue, client([6, 0, 0], true), "another"), Some("another"));
        assert_eq!(queue.waiting(), 4);
    }

    #[test]
    fn many_small_networks_of_a_large_one_count_as_one() {
        let mut queue = HashQueue::new(8);
        for (n, job) in (0_u8..).zip(["a", "b", "c", "d", "e", "f"]) {
            assert_eq!(push(&mut queue, client([1, n, n], false), job), None);
        }
        assert_eq!(push(&mut queue, stranger(2), "other"), Some("f"));
    }

    #[test]
    fn turns_of_many_networks_are_forgotten() {
        let mut queue = HashQueue::new(4);
        for n in 0..20_000_u32 {
            let requester = Requester { networks: vec![n.to_be_bytes().to_vec()], known: false };
            assert!(queue.push(requester, "job").is_ok() && queue.pop().is_some());
        }
        assert!(queue.served.len() <= MAX_NETWORKS);
    }
}
