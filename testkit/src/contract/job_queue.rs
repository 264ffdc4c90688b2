//! Contract cases of the job queue.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Case, Outcome, Records, Setup};
use crate::samples::{
    LIFE, NOW, digest, email_index, job, job_id, person, realm, sealed, session_id, undo_id, user_id,
};
use portcullis_core::model::event::EventKind;
use portcullis_core::model::factor::FactorMethod;
use portcullis_core::model::ids::WebhookId;
use portcullis_core::model::job::{DeadLetter, Job, JobSubject, QueuedJob, Task, TraceContext};
use portcullis_core::model::message::{Channel, OperatorAction};
use portcullis_core::model::one_time_token::Purpose;
use portcullis_core::model::webhook::WebhookEvent;
use portcullis_core::ports::job_queue::{JobQueue, QueueDepth};

type Jobs = Setup<Records<dyn JobQueue>>;

const MILLI: Duration = Duration::from_millis(1);
const LEASE: Duration = Duration::from_mins(1);

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<Records<dyn JobQueue>>> {
    cases![
        an_empty_queue_has_nothing_to_do,
        keeps_every_task,
        gives_the_oldest_first,
        a_claimed_job_is_out_of_sight_until_its_lease_ends,
        a_completed_job_never_comes_back,
        attempts_are_counted,
        a_retry_waits_for_its_time,
        one_of_many_racing_claims_gets_it,
        racing_claims_share_the_work,
        a_buried_job_is_a_dead_letter,
        dead_letters_come_newest_first,
        dead_letters_of_another_realm_hide_none,
        a_dead_letter_is_found_by_its_id,
        a_dead_letter_can_be_revived_once,
        forgets_what_is_about_a_subject,
        forgets_what_is_about_an_address,
        lists_and_forgets_what_is_about_a_webhook,
        a_forgotten_job_does_not_come_back,
        tells_how_many_are_where,
        a_waiter_wakes_for_a_job,
    ]
}

/// The n-th welcome, about the n-th user. Every second one belongs to a trace.
fn welcome(n: u64) -> Job {
    let trace = (n % 2 == 1).then_some(TraceContext { trace: [0xa1; 16], span: n.to_be_bytes() });
    Job { trace, ..job(&realm("User1"), n, Task::Welcome(user_id(n))) }
}

async fn claim_at(jobs: &Jobs, millis: u64) -> Result<Option<Job>, portcullis_core::ports::error::PortError> {
    jobs.claim(NOW + Duration::from_millis(millis), LEASE).await
}

/// As claimed for the `attempts`-th time.
fn begun(job: &Job, attempts: u32) -> Job {
    Job { attempts, ..job.clone() }
}

async fn an_empty_queue_has_nothing_to_do(jobs: &Jobs) -> Outcome {
    assert_eq!(jobs.claim(NOW, LEASE).await?, None);
    assert_eq!(jobs.list_dead_letters(None, 10).await?, Vec::new());
    assert!(!jobs.requeue(&realm("User1"), &job_id(1), NOW).await?);
    assert_eq!(jobs.depth().await?, QueueDepth::default());
    jobs.complete(&job_id(1)).await?;
    jobs.retry_at(&job_id(1), NOW).await?;
    jobs.dead_letter(&job_id(1), "unknown", NOW).await?;
    jobs.forget(&realm("User1"), &JobSubject::Subject(user_id(1))).await?;
    assert_eq!(jobs.depth().await?, QueueDepth::default());
    Ok(())
}

const WEBHOOK: WebhookId = WebhookId::from_bytes([9; 16]);

/// A message to a webhook about an event of a user.
fn notify(webhook: WebhookId, user: u64) -> Task {
    let (user, session) = (Some(user_id(user)), Some(session_id(1)));
    Task::NotifyWebhook { webhook, event: WebhookEvent { kind: EventKind::AccountDeleted, at: NOW, user, session } }
}

fn every_task() -> Vec<Task> {
    let nobody = WebhookEvent { kind: EventKind::WebhookTested, at: NOW, user: None, session: None };
    let (user, at, challenge) = (user_id(1), NOW, digest("token", 1));
    let mut tasks = vec![
        Task::VerifyRegistration(user),
        notify(WEBHOOK, 1),
        Task::NotifyWebhook { webhook: WEBHOOK, event: nobody },
        Task::VerifyNewest(email_index(1)),
        Task::VerifyAgain { registration: user, network: Some(digest("network", 1)) },
        Task::ResendVerification { email: email_index(1), network: Some(digest("network", 1)) },
        Task::ResetPassword { email: email_index(1), network: None },
        Task::Welcome(user),
        Task::ConfirmEmailChange(user),
        Task::EmailChangeRequested { user, at },
        Task::EmailChanged { user, at, undo: None },
        Task::EmailChanged { user, at, undo: Some(undo_id(1)) },
        Task::PhoneChanged { user, at, undo: Some(undo_id(2)) },
        Task::ResetAfterUndo(user),
        Task::ResetRequired(user),
        Task::Invitation(user),
        Task::OperatorActed { user, at, action: OperatorAction::SessionsEnded },
        Task::FactorsThrottled { user, at },
        Task::FactorsReset { user, at, undo: Some(undo_id(5)) },
        Task::BackupCodeUsed { user, at, left: 2 },
        Task::SendEnrolmentCode { user, challenge },
        Task::DataExported { user, at },
        Task::SessionEnded { user, at },
        Task::DeviceRemembered { user, at },
        Task::AccountDeleted { user, at, key: person(1).key, address: sealed("address", 1) },
    ];
    for yes in [true, false] {
        tasks.push(Task::PasswordChanged { user, at, by_reset: yes, undo: Some(undo_id(3)) });
        for factor in FactorMethod::ALL {
            tasks.push(Task::MfaChanged { user, at, factor, enabled: yes, undo: Some(undo_id(4)) });
        }
    }
    for purpose in Purpose::ALL {
        tasks.push(Task::SendOtp { user, purpose, challenge, channel: Channel::Sms });
        tasks.push(Task::SendOtp { user, purpose, challenge, channel: Channel::Voice });
    }
    tasks.push(Task::SendUndoCode { user, record: undo_id(9), challenge });
    tasks
}

async fn keeps_every_task(jobs: &Jobs) -> Outcome {
    for (n, task) in (1..).zip(every_task()) {
        let one = job(&realm("User1"), n, task);
        jobs.enqueue(one.clone()).await?;
        assert_eq!(claim_at(jobs, 1000).await?, Some(begun(&one, 1)));
        jobs.dead_letter(&one.id, "no reason", NOW).await?;
        let letter = DeadLetter { job: begun(&one, 1), reason: "no reason".to_owned(), at: NOW };
        assert_eq!(jobs.list_dead_letters(None, 1).await?, vec![letter]);
        jobs.forget(&one.realm, &one.task.about()).await?;
    }
    Ok(())
}

async fn gives_the_oldest_first(jobs: &Jobs) -> Outcome {
    for n in [5, 2, 8, 1, 7, 3, 6, 4] {
        jobs.enqueue(welcome(n)).await?;
    }
    for n in 1..=8 {
        assert_eq!(claim_at(jobs, 10).await?, Some(begun(&welcome(n), 1)));
    }
    assert_eq!(claim_at(jobs, 10).await?, None);
    Ok(())
}

async fn a_claimed_job_is_out_of_sight_until_its_lease_ends(jobs: &Jobs) -> Outcome {
    let one = welcome(1);
    jobs.enqueue(one.clone()).await?;
    let begin = NOW + MILLI * 10;
    assert_eq!(jobs.claim(begin, LEASE).await?, Some(begun(&one, 1)));
    assert_eq!(jobs.claim(begin, LEASE).await?, None);
    assert_eq!(jobs.claim(begin + LEASE - MILLI, LEASE).await?, None);
    assert_eq!(jobs.claim(begin + LEASE, LEASE).await?, Some(begun(&one, 2)));
    assert_eq!(jobs.claim(begin + LEASE, LEASE).await?, None);
    Ok(())
}

async fn a_completed_job_never_comes_back(jobs: &Jobs) -> Outcome {
    jobs.enqueue(welcome(1)).await?;
    claim_at(jobs, 10).await?;
    jobs.complete(&job_id(1)).await?;
    jobs.complete(&job_id(1)).await?;
    jobs.retry_at(&job_id(1), NOW).await?;
    assert_eq!(jobs.claim(NOW + LIFE, LEASE).await?, None);
    assert_eq!(jobs.depth().await?, QueueDepth::default());
    Ok(())
}

async fn attempts_are_counted(jobs: &Jobs) -> Outcome {
    let one = welcome(1);
    jobs.enqueue(one.clone()).await?;
    for attempt in 1..=5 {
        let now = NOW + LEASE * attempt;
        assert_eq!(jobs.claim(now, LEASE).await?, Some(begun(&one, attempt)));
        jobs.retry_at(&one.id, now + MILLI).await?;
    }
    Ok(())
}

async fn a_retry_waits_for_its_time(jobs: &Jobs) -> Outcome {
    jobs.enqueue(welcome(1)).await?;
    claim_at(jobs, 10).await?;
    let later = NOW + LEASE * 10;
    jobs.retry_at(&job_id(1), later).await?;
    assert_eq!(jobs.claim(later - MILLI, LEASE).await?, None);
    assert_eq!(jobs.claim(later, LEASE).await?, Some(begun(&welcome(1), 2)));
    jobs.retry_at(&job_id(1), later + MILLI).await?;
    assert_eq!(jobs.claim(later + MILLI, LEASE).await?, Some(begun(&welcome(1), 3)), "sooner than the lease");
    Ok(())
}

async fn one_of_many_racing_claims_gets_it(jobs: &Jobs) -> Outcome {
    jobs.enqueue(welcome(1)).await?;
    let claim = |jobs: Arc<Records<dyn JobQueue>>, _| async move { jobs.claim(NOW + MILLI, LEASE).await };
    let got: Vec<Job> = jobs.race(50, claim).await?.into_iter().flatten().collect();
    assert_eq!(got, vec![begun(&welcome(1), 1)]);
    Ok(())
}

async fn racing_claims_share_the_work(jobs: &Jobs) -> Outcome {
    for n in 0..20 {
        jobs.enqueue(welcome(n)).await?;
    }
    let claim = |jobs: Arc<Records<dyn JobQueue>>, _| async move { jobs.claim(NOW + LEASE, LEASE).await };
    let mut got: Vec<_> = jobs.race(30, claim).await?.into_iter().flatten().map(|job| job.id).collect();
    let mut all: Vec<_> = (0..20).map(job_id).collect();
    got.sort();
    all.sort();
    assert_eq!(got, all);
    Ok(())
}

async fn a_buried_job_is_a_dead_letter(jobs: &Jobs) -> Outcome {
    let one = welcome(1);
    jobs.enqueue(one.clone()).await?;
    claim_at(jobs, 10).await?;
    jobs.dead_letter(&one.id, "the server refuses", NOW + LEASE).await?;
    assert_eq!(jobs.claim(NOW + LIFE, LEASE).await?, None);
    let letter = DeadLetter { job: begun(&one, 1), reason: "the server refuses".to_owned(), at: NOW + LEASE };
    assert_eq!(jobs.list_dead_letters(None, 10).await?, vec![letter]);
    Ok(())
}

async fn dead_letters_come_newest_first(jobs: &Jobs) -> Outcome {
    for n in 1..=4 {
        jobs.enqueue(welcome(n)).await?;
        claim_at(jobs, 10).await?;
        jobs.dead_letter(&job_id(n), "dead", NOW + Duration::from_secs(n)).await?;
    }
    let ids = |letters: Vec<DeadLetter>| letters.into_iter().map(|letter| letter.job.id).collect::<Vec<_>>();
    assert_eq!(ids(jobs.list_dead_letters(None, 10).await?), [4, 3, 2, 1].map(job_id));
    assert_eq!(ids(jobs.list_dead_letters(None, 2).await?), [4, 3].map(job_id));
    assert_eq!(ids(jobs.list_dead_letters(None, 0).await?), []);
    Ok(())
}

async fn dead_letters_of_another_realm_hide_none(jobs: &Jobs) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    for n in 1..=4 {
        let of = if n == 1 { &here } else { &there };
        jobs.enqueue(job(of, n, Task::Welcome(user_id(n)))).await?;
        jobs.dead_letter(&job_id(n), "dead", NOW + Duration::from_secs(n)).await?;
    }
    let ids = |letters: Vec<DeadLetter>| letters.into_iter().map(|letter| letter.job.id).collect::<Vec<_>>();
    assert_eq!(ids(jobs.list_dead_letters(Some(here.clone()), 3).await?), [job_id(1)]);
    assert_eq!(ids(jobs.list_dead_letters(Some(there), 2).await?), [4, 3].map(job_id));
    assert!(!jobs.requeue(&here, &job_id(2), NOW).await?, "it is of another realm");
    assert!(jobs.requeue(&here, &job_id(1), NOW).await?);
    Ok(())
}

async fn a_dead_letter_is_found_by_its_id(jobs: &Jobs) -> Outcome {
    for n in 1..=2 {
        jobs.enqueue(welcome(n)).await?;
        assert_eq!(jobs.find_dead_letter(&job_id(n)).await?, None, "it is not dead");
        jobs.dead_letter(&job_id(n), "dead", NOW).await?;
    }
    let letter = DeadLetter { job: welcome(1), reason: "dead".to_owned(), at: NOW };
    assert_eq!(jobs.find_dead_letter(&job_id(1)).await?, Some(letter));
    assert_eq!(jobs.find_dead_letter(&job_id(3)).await?, None);
    Ok(())
}

async fn a_dead_letter_can_be_revived_once(jobs: &Jobs) -> Outcome {
    let one = welcome(1);
    jobs.enqueue(one.clone()).await?;
    claim_at(jobs, 10).await?;
    assert!(!jobs.requeue(&realm("User1"), &one.id, NOW).await?, "it is not dead");
    jobs.dead_letter(&one.id, "dead", NOW).await?;
    let second_life = NOW + LIFE;
    assert!(jobs.requeue(&realm("User1"), &one.id, second_life).await?);
    assert!(!jobs.requeue(&realm("User1"), &one.id, second_life).await?);
    assert_eq!(jobs.list_dead_letters(None, 10).await?, Vec::new());
    assert_eq!(jobs.claim(second_life - MILLI, LEASE).await?, None);
    assert_eq!(jobs.claim(second_life, LEASE).await?, Some(begun(&one, 1)));
    Ok(())
}

/// Leaves one job and one dead letter of each task in each of two realms, forgets, and counts what is left here.
async fn left_after_forgetting(
    jobs: &Jobs,
    tasks: [Task; 4],
    about: JobSubject,
) -> Result<Vec<Task>, portcullis_core::ports::error::PortError> {
    for (n, task) in (0..).zip(tasks) {
        for (m, realm) in (0..).zip([realm("User1"), realm("User2")]) {
            let (dead, waiting) = (job(&realm, 4 * n + m, task.clone()), job(&realm, 4 * n + 2 + m, task.clone()));
            jobs.enqueue(dead.clone()).await?;
            jobs.dead_letter(&dead.id, "dead", NOW).await?;
            jobs.enqueue(waiting).await?;
        }
    }
    jobs.forget(&realm("User1"), &about).await?;
    let mut left: Vec<Job> = jobs.list_dead_letters(None, 100).await?.into_iter().map(|letter| letter.job).collect();
    while let Some(job) = jobs.claim(NOW + LEASE, LIFE).await? {
        left.push(job);
        assert!(left.len() <= 16, "more jobs than there ever were");
    }
    assert_eq!(left.iter().filter(|job| job.realm == realm("User2")).count(), 8, "another realm lost jobs");
    Ok(left.into_iter().filter(|job| job.realm == realm("User1")).map(|job| job.task).collect())
}

async fn forgets_what_is_about_a_subject(jobs: &Jobs) -> Outcome {
    let changed = Task::PasswordChanged { user: user_id(1), at: NOW, by_reset: true, undo: None };
    let other = Task::Welcome(user_id(2));
    let address = Task::ResetPassword { email: email_index(1), network: None };
    let tasks = [Task::Welcome(user_id(1)), changed, other.clone(), address.clone()];
    let left = left_after_forgetting(jobs, tasks, JobSubject::Subject(user_id(1))).await?;
    assert_eq!(left.len(), 4);
    assert!(left.iter().all(|task| *task == other || *task == address), "{left:?}");
    Ok(())
}

async fn forgets_what_is_about_an_address(jobs: &Jobs) -> Outcome {
    let other = Task::ResetPassword { email: email_index(2), network: None };
    let subject = Task::Welcome(user_id(1));
    let email = email_index(1);
    let tasks = [
        Task::ResetPassword { email, network: None },
        Task::ResendVerification { email, network: None },
        other.clone(),
        subject.clone(),
    ];
    let left = left_after_forgetting(jobs, tasks, JobSubject::Address(email)).await?;
    assert_eq!(left.len(), 4);
    assert!(left.iter().all(|task| *task == other || *task == subject), "{left:?}");
    Ok(())
}

async fn lists_and_forgets_what_is_about_a_webhook(jobs: &Jobs) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    let mut of_it: Vec<Job> = (0..4).map(|n| job(&here, n, notify(WEBHOOK, n))).collect();
    // another job of the same instant
    of_it.push(Job { id: job_id(40), ..job(&here, 3, notify(WEBHOOK, 1)) });
    let others = [
        job(&here, 5, notify(WebhookId::from_bytes([8; 16]), 1)),
        job(&there, 6, notify(WEBHOOK, 1)),
        job(&here, 7, Task::Welcome(user_id(1))),
    ];
    for one in of_it.iter().chain(&others) {
        jobs.enqueue(one.clone()).await?;
    }
    let subject = JobSubject::Webhook(WEBHOOK);
    assert_eq!(jobs.list_about(&here, &subject, None, 0).await?, []);
    let first = claim_at(jobs, 0).await?.ok_or("the oldest")?;
    jobs.dead_letter(&first.id, "it answered 500", NOW + MILLI).await?;
    let queued = |job: &Job| QueuedJob { job: job.clone(), due_at: job.created_at, dead: None };
    let mut wanted: Vec<QueuedJob> = of_it.iter().skip(1).map(queued).collect();
    wanted.sort_by_key(|one| std::cmp::Reverse((one.job.created_at, one.job.id)));
    let mut seen = Vec::new();
    while let page = jobs.list_about(&here, &subject, seen.last().map(place), 2).await?
        && !page.is_empty()
    {
        assert!(page.len() <= 2);
        seen.extend(page);
    }
    let dead = seen.pop().ok_or("the dead letter is the oldest")?;
    assert_eq!((dead.job, dead.dead), (first, Some((NOW + MILLI, "it answered 500".to_owned()))));
    assert_eq!(seen, wanted);
    // the account of an event is not the subject: its erasure leaves the message
    jobs.forget(&here, &JobSubject::Subject(user_id(1))).await?;
    assert_eq!(jobs.list_about(&here, &subject, None, 10).await?.len(), 5);
    jobs.forget(&here, &subject).await?;
    assert_eq!(jobs.list_about(&here, &subject, None, 10).await?, []);
    assert_eq!(jobs.list_about(&there, &subject, None, 10).await?.len(), 1);
    assert_eq!(jobs.depth().await?, QueueDepth { waiting: 2, dead: 0 });
    Ok(())
}

fn place(queued: &QueuedJob) -> (portcullis_core::model::time::Timestamp, portcullis_core::model::ids::JobId) {
    (queued.job.created_at, queued.job.id)
}

async fn a_forgotten_job_does_not_come_back(jobs: &Jobs) -> Outcome {
    let one = welcome(1);
    jobs.enqueue(one.clone()).await?;
    claim_at(jobs, 10).await?;
    jobs.forget(&one.realm, &one.task.about()).await?;
    jobs.retry_at(&one.id, NOW).await?;
    jobs.dead_letter(&one.id, "too late", NOW).await?;
    assert_eq!(jobs.claim(NOW + LIFE, LEASE).await?, None);
    assert_eq!(jobs.list_dead_letters(None, 10).await?, Vec::new());
    assert!(!jobs.requeue(&realm("User1"), &one.id, NOW).await?);
    Ok(())
}

async fn tells_how_many_are_where(jobs: &Jobs) -> Outcome {
    for n in 1..=3 {
        jobs.enqueue(welcome(n)).await?;
    }
    claim_at(jobs, 10).await?;
    assert_eq!(jobs.depth().await?, QueueDepth { waiting: 3, dead: 0 });
    jobs.dead_letter(&job_id(1), "dead", NOW).await?;
    assert_eq!(jobs.depth().await?, QueueDepth { waiting: 2, dead: 1 });
    jobs.requeue(&realm("User1"), &job_id(1), NOW).await?;
    assert_eq!(jobs.depth().await?, QueueDepth { waiting: 3, dead: 0 });
    Ok(())
}

async fn a_waiter_wakes_for_a_job(jobs: &Jobs) -> Outcome {
    let patience = Duration::from_secs(30);
    let began = Instant::now();
    let either = |jobs: Arc<Records<dyn JobQueue>>, runner: u64| async move {
        if runner == 0 {
            jobs.wait(patience).await;
            return Ok(());
        }
        jobs.enqueue(welcome(1)).await
    };
    jobs.race(2, either).await?;
    assert!(began.elapsed() < patience, "it slept on");
    Ok(())
}
