//! Work on several threads that comes out in the order in which it went in.

use std::sync::mpsc::sync_channel;
use std::thread;

/// How many items may wait before and after each worker.
const WAITING_ITEMS_MAX: usize = 4;

/// Takes items from `source` on a thread of its own, works on them on as many as the machine has cores, and hands the
/// outcomes to `sink` in order, on the calling thread. Ends at the first error of `sink`, which it returns.
///
/// Items go to the workers in turn, and outcomes are taken from them in the same turn; that alone keeps the order.
pub(super) fn in_order<I, T, E>(
    source: impl Iterator<Item = I> + Send,
    work: impl Fn(I) -> T + Sync,
    mut sink: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E>
where
    I: Send,
    T: Send,
{
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let (mut inputs, mut outcomes) = (Vec::new(), Vec::new());
        for _ in 0..workers {
            let (input, items) = sync_channel::<I>(WAITING_ITEMS_MAX);
            let (outcome, done) = sync_channel::<T>(WAITING_ITEMS_MAX);
            let work = &work;
            scope.spawn(move || items.into_iter().map(work).try_for_each(|item| outcome.send(item)));
            inputs.push(input);
            outcomes.push(done);
        }
        scope.spawn(move || source.zip(inputs.iter().cycle()).try_for_each(|(item, input)| input.send(item)));
        // The first worker without another item is the end: those after it in turn have none either.
        outcomes.iter().cycle().map_while(|done| done.recv().ok()).try_for_each(&mut sink)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_come_in_the_order_of_the_items() {
        for count in [0, 1, 2, 3, 100, 1_000] {
            let mut found = Vec::new();
            let slow = |n: u64| {
                thread::sleep(std::time::Duration::from_micros(n * 7 % 50));
                n * 2
            };
            let ended: Result<(), ()> = in_order(0..count, slow, |n| {
                found.push(n);
                Ok(())
            });
            assert_eq!(ended, Ok(()));
            assert_eq!(found, (0..count).map(|n| n * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_error_ends_it_though_the_source_never_would() {
        let mut seen = 0;
        let ended = in_order(
            0_u64..,
            |n| n,
            |n| {
                seen += 1;
                if n == 50 { Err(n) } else { Ok(()) }
            },
        );
        assert_eq!((ended, seen), (Err(50), 51));
    }
}
