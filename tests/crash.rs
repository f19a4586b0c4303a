//! Kills the real server under load, again and again, and looks for submissions that were acknowledged and are lost,
//! altered or doubled; and backs it up under load, and restores it.
//!
//! `CONSPECTUS_KILLS=1000` sets the number of kills.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as the test itself may")]

mod binary;
#[path = "crash/restoring.rs"]
mod restoring;
#[path = "crash/stopping.rs"]
mod stopping;

use binary::Server;
use binary::load::{Acknowledged, Load, wrong_with};
use std::{env, sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// How many are acknowledged before each kill.
const ACKNOWLEDGED_MIN: usize = 100;
/// How many of the earlier rounds' are looked up after each kill; all are at the end.
const EARLIER_CHECKED: usize = 100;
/// How many read at once at the end.
const READERS: usize = 8;

#[tokio::test]
async fn no_acknowledged_submission_is_lost_altered_or_doubled_by_a_kill() {
    let kills: u64 = env::var("CONSPECTUS_KILLS").map_or(8, |kills| kills.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path()).await.unwrap();
    server.put_catalogue().await;
    let mut all: Vec<Acknowledged> = Vec::new();
    let mut recovered = 0;
    for kill in 0..kills {
        let load = Load::on(&server, &format!("kill-{kill}"));
        // Not at the same point of a group each time.
        load.until(ACKNOWLEDGED_MIN, Duration::from_micros(kill * 7_919 % 40_000)).await;
        server.kill();
        let (acknowledged, unanswered) = load.outcome().await;
        assert!(acknowledged.len() >= ACKNOWLEDGED_MIN);

        server = Server::start(folder.path()).await.unwrap();
        for one in acknowledged.iter().chain(all.iter().step_by(1 + all.len() / EARLIER_CHECKED)) {
            assert_eq!(server.wrong_with(one).await, None, "kill {kill}");
            let (request, receipt) = one;
            assert_eq!(server.submit(request).await.unwrap(), (receipt.clone(), true), "kill {kill}");
        }
        all.extend(acknowledged);
        for request in unanswered {
            // It was stored or it wasn't; a retry is right in both cases.
            let (receipt, already_received) = server.submit(&request).await.unwrap();
            recovered += usize::from(already_received);
            assert_eq!(server.submit(&request).await.unwrap(), (receipt.clone(), true), "kill {kill}");
            all.push((request, receipt));
        }
        assert_eq!(server.count().await, all.len(), "kill {kill}");
    }
    println!("{kills} kills, {} acknowledged, {recovered} found by a retry: now all of them are read", all.len());
    let all = Arc::new(all);
    let mut readers = JoinSet::new();
    for reader in 0..READERS {
        let (channel, all) = (server.channel.clone(), Arc::clone(&all));
        readers.spawn(async move {
            for one in all.iter().skip(reader).step_by(READERS) {
                assert_eq!(wrong_with(&channel, one).await, None);
            }
        });
    }
    readers.join_all().await;
    println!("{} are as they were acknowledged", all.len());
}
