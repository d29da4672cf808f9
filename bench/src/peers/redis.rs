//! Redis, started here in a folder of its own without a network port, and asked over its Unix socket.

use super::Presence;
use super::map::{Act, Batch, MISSING, Map};
use super::talker::ends_with_us;
use super::text::{Text, Texts, last_byte};
use crate::Outcome;
use crate::scratch::ScratchFolder;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PIPELINE: usize = 500;
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn probe() -> Presence {
    let output = Command::new("redis-server").arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    match text.split_whitespace().find_map(|word| word.strip_prefix("v=")) {
        Some(version) => Presence::Here(version.into()),
        None => Presence::Missing("`apt-get install redis-server`".into()),
    }
}

/// A server with one client.
pub(super) struct Served {
    server: Child,
    stream: BufReader<UnixStream>,
    _folder: ScratchFolder,
}

impl Served {
    pub(super) fn new() -> Outcome<Served> {
        let folder = ScratchFolder::new()?;
        let socket = folder.path().join("socket");
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--appendonly", "no", "--dir"]).arg(folder.path());
        command.arg("--unixsocket").arg(&socket).stdin(Stdio::null()).stdout(Stdio::null());
        let mut server = ends_with_us(&mut command).spawn()?;
        let start = Instant::now();
        let stream = loop {
            match UnixStream::connect(&socket) {
                Ok(stream) => break stream,
                Err(_) if start.elapsed() < PATIENCE && server.try_wait()?.is_none() => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => {
                    server.kill()?;
                    server.wait()?;
                    return Err(error.into());
                }
            }
        };
        Ok(Served { server, stream: BufReader::new(stream), _folder: folder })
    }

    /// Sends a command for each key, many before the first answer is read; the sum of what `value` makes of the answers.
    fn pipelined(
        &mut self,
        keys: &[u64],
        command: impl Fn(&mut Vec<u8>, u64) -> std::io::Result<()>,
        mut value: impl FnMut(Option<u64>) -> Outcome<u64>,
    ) -> Outcome<Batch> {
        self.asked(keys, |bytes, key| command(bytes, *key), |served| value(served.answer()?))
    }

    /// The same with keys of any kind; `value` reads the answer, too.
    fn asked<K>(
        &mut self,
        keys: &[K],
        command: impl Fn(&mut Vec<u8>, &K) -> std::io::Result<()>,
        mut value: impl FnMut(&mut Self) -> Outcome<u64>,
    ) -> Outcome<Batch> {
        Batch::by_the_clock(|| {
            let (mut bytes, mut sum) = (Vec::new(), 0u64);
            for keys in keys.chunks(PIPELINE) {
                bytes.clear();
                keys.iter().try_for_each(|key| command(&mut bytes, key))?;
                self.stream.get_mut().write_all(&bytes)?;
                for _ in keys {
                    sum = sum.wrapping_add(value(self)?);
                }
            }
            Ok(sum)
        })
    }

    /// A number, or nothing.
    fn answer(&mut self) -> Outcome<Option<u64>> {
        let line = self.line()?;
        match (line.get(..1), line.get(1..)) {
            (Some("$"), Some("-1")) => Ok(None),
            (Some("$"), Some(_)) => Ok(Some(self.line()?.parse::<i64>()? as u64)),
            (Some(":"), Some(number)) => Ok(Some(number.parse::<i64>()? as u64)),
            (Some("+"), _) => Ok(Some(1)),
            _ => Err(format!("it answered `{line}`").into()),
        }
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        line.truncate(line.trim_end().len());
        Ok(line)
    }

    fn all(&mut self) -> Outcome<u64> {
        // Keys first, then their values by the hundred: there is no command that reads all.
        let (mut cursor, mut sum) = ("0".to_string(), 0u64);
        loop {
            write!(self.stream.get_mut(), "SCAN {cursor} COUNT {PIPELINE}\r\n")?;
            self.line()?;
            self.line()?;
            cursor = self.line()?;
            let count: usize = self.line()?[1..].parse()?;
            let mut command = format!("*{}\r\n$4\r\nMGET\r\n", count + 1);
            for _ in 0..count {
                self.line()?;
                let key = self.line()?;
                command += &format!("${}\r\n{key}\r\n", key.len());
            }
            if count > 0 {
                self.stream.get_mut().write_all(command.as_bytes())?;
                self.line()?;
                for _ in 0..count {
                    sum = sum.wrapping_add(self.answer()?.ok_or(MISSING)?);
                }
            }
            if cursor == "0" {
                return Ok(sum);
            }
        }
    }
}

/// Its numbers are signed.
fn signed(key: u64) -> i64 {
    key as i64
}

impl Map for Served {
    fn clear(&mut self) -> Outcome {
        self.stream.get_mut().write_all(b"FLUSHALL\r\n")?;
        self.answer()?;
        Ok(())
    }

    fn act(&mut self, act: Act) -> Outcome<Batch> {
        match act {
            Act::Insert(keys) => self.pipelined(
                keys,
                |bytes, key| write!(bytes, "SET {} {}\r\n", signed(key), signed(key)),
                |answer| Ok(answer.ok_or(MISSING)?),
            ),
            Act::Get(keys) => self.pipelined(
                keys,
                |bytes, key| write!(bytes, "GET {}\r\n", signed(key)),
                |answer| Ok(answer.unwrap_or(1)),
            ),
            Act::Update(keys) => self.pipelined(
                keys,
                |bytes, key| write!(bytes, "INCR {}\r\n", signed(key)),
                |answer| Ok(answer.ok_or(MISSING)?),
            ),
            Act::Remove(keys) => self.pipelined(
                keys,
                |bytes, key| write!(bytes, "GETDEL {}\r\n", signed(key)),
                |answer| Ok(answer.ok_or(MISSING)?),
            ),
            Act::Iterate => Batch::by_the_clock(|| self.all()),
            Act::Scan(_) => Err("its keys have no order".into()),
        }
    }
}

/// Keys and values without blanks.
impl Texts for Served {
    fn insert(&mut self, texts: &[Text]) -> Outcome<Batch> {
        Map::clear(self)?;
        self.asked(
            texts,
            |bytes, (key, value)| write!(bytes, "SET {key} {value}\r\n"),
            |served| Ok(served.answer()?.ok_or(MISSING)?),
        )
    }

    fn get(&mut self, keys: &[&str]) -> Outcome<Batch> {
        self.asked(
            keys,
            |bytes, key| write!(bytes, "GET {key}\r\n"),
            |served| if served.line()? == "$-1" { Err(MISSING.into()) } else { Ok(last_byte(&served.line()?)) },
        )
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Both fail if it is gone already; then there is nothing to do.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
