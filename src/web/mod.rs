//! The page: what it says of answers in words.

#![cfg_attr(not(test), expect(dead_code, reason = "the page uses it"))]

mod sentence;
mod subject;

#[cfg(test)]
mod tests {
    //! What tests of several files use.

    use crate::demo;
    use crate::model::timestamp::Timestamp;
    use crate::rpc::{Context, Gate, Picture};

    /// 1 January 2026, when all that the demo lacks is late.
    const NOW: Timestamp = Timestamp(1_767_225_600_000_000);

    /// A service that has the demo in it.
    pub(super) async fn demo_pictures() -> Picture {
        let context = Context::in_memory(NOW);
        demo::load(&context).await.unwrap();
        let gate = Gate::default();
        gate.open(context);
        Picture::new(gate)
    }
}
