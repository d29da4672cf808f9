//! iceoryx2: publish-subscribe, one service in each direction. Nothing is overwritten: whoever sends to a full buffer
//! waits.

use super::line::{End, ROOM, until};
use crate::Outcome;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;
use std::path::Path;

/// An end. Dropped in this order: a node is the last to go.
pub(super) struct Ports {
    publisher: Publisher<ipc::Service, u64, ()>,
    subscriber: Subscriber<ipc::Service, u64, ()>,
    _node: Node<ipc::Service>,
}

impl Ports {
    /// The path gives the services names that no other run has.
    pub(super) fn open(path: &Path, there: bool) -> Outcome<Ports> {
        set_log_level(LogLevel::Error);
        let node = NodeBuilder::new().create::<ipc::Service>()?;
        let service = |direction: &str| -> Outcome<_> {
            let service = node.service_builder(&service_name(path, direction)?).publish_subscribe::<u64>();
            let service = service.enable_safe_overflow(false).subscriber_max_buffer_size(ROOM).history_size(0);
            Ok(service.max_publishers(1).max_subscribers(1).open_or_create()?)
        };
        let [send, receive] = if there { ["there", "back"] } else { ["back", "there"] };
        Ok(Ports {
            publisher: service(send)?.publisher_builder().create()?,
            subscriber: service(receive)?.subscriber_builder().buffer_size(ROOM).create()?,
            _node: node,
        })
    }
}

/// A name that no other run has.
pub(super) fn service_name(path: &Path, part: &str) -> Outcome<ServiceName> {
    let name = path.file_name().ok_or("a path without a name")?.to_string_lossy();
    Ok(format!("{name}/{part}").as_str().try_into()?)
}

impl End for Ports {
    /// Until the other end has received for the first time, what does not fit any more goes to nobody.
    fn send(&mut self, value: u64) -> Outcome {
        until(|| Ok((self.publisher.loan_uninit()?.write_payload(value).send()? == 1).then_some(())))
    }

    fn receive(&mut self) -> Outcome<u64> {
        until(|| Ok(self.subscriber.receive()?.map(|sample| *sample)))
    }
}
