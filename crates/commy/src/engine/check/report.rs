//! What a check found, and how it reads.

use std::fmt;

/// This many findings are kept; the others are counted.
const MAX_FINDINGS: usize = 1000;
/// A report's text has at most this many lines.
const MAX_LINES: usize = 50;

/// One rule that a region's bytes break.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Where, as an offset into the file.
    pub offset: u64,
    /// Which rule.
    pub rule: &'static str,
    /// What is there and what should be; empty if the rule says it all.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at offset {}: {}", self.offset, self.rule)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", self.detail) }
    }
}

/// The result of a full check of a region. Its text begins with `clean:` or `damaged:`.
///
/// In a clean region allocated, cached, free and slack bytes together are the committed bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The broken rules, in the order in which they were found; the first thousand.
    pub findings: Vec<Finding>,
    /// Number of findings beyond those.
    pub omitted: u64,
    /// Objects, named and anonymous, without the directory of names.
    pub objects: u64,
    /// Bytes reachable from objects and from the directory: headers, descriptors, content, strings; in whole blocks.
    pub allocated_bytes: u64,
    /// Bytes in blocks that threads keep for their next operations.
    pub cached_bytes: u64,
    /// Bytes that the next allocation may have.
    pub free_bytes: u64,
    /// Bytes at the ends of spans that are too few for a block.
    pub slack_bytes: u64,
    /// Bytes of the heap that the file backs.
    pub committed_bytes: u64,
}

impl Report {
    /// Is every rule kept?
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    pub(super) fn add(&mut self, offset: u64, rule: &'static str, detail: fmt::Arguments<'_>) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding { offset, rule, detail: detail.to_string() });
        } else {
            self.omitted += 1;
        }
    }

    /// Number of findings so far.
    pub(super) fn count(&self) -> u64 {
        self.findings.len() as u64 + self.omitted
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return write!(
                f,
                "clean: {} objects, {} in use, {} cached, {} free, {} committed",
                self.objects,
                Size(self.allocated_bytes),
                Size(self.cached_bytes),
                Size(self.free_bytes),
                Size(self.committed_bytes)
            );
        }
        let count = self.count();
        write!(f, "damaged: {count} finding{}", if count == 1 { "" } else { "s" })?;
        // The last line is for the number of those that do not fit.
        let fits = count < MAX_LINES as u64;
        let shown = if fits { self.findings.len() } else { self.findings.len().min(MAX_LINES - 2) };
        for finding in &self.findings[..shown] {
            write!(f, "\n  {finding}")?;
        }
        if fits { Ok(()) } else { write!(f, "\n  and {} more", count - shown as u64) }
    }
}

/// A number of bytes in the unit that suits it.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = ["KiB", "MiB", "GiB", "TiB"].iter().zip(1..5).rev().find(|(_, power)| self.0 >> (10 * power) != 0);
        match unit {
            Some((unit, power)) => write!(f, "{:.1} {unit}", self.0 as f64 / f64::from(1024).powi(power)),
            None => write!(f, "{} B", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_one_verdict_and_at_most_fifty_lines() {
        let mut report = Report { objects: 12, allocated_bytes: 3_565_158, ..Report::default() };
        assert_eq!(report.to_string(), "clean: 12 objects, 3.4 MiB in use, 0 B cached, 0 B free, 0 B committed");
        for count in 1..3000u64 {
            report.add(count, "a rule", format_args!("detail {count}"));
            let text = report.to_string();
            assert!(text.starts_with("damaged: ") && text.lines().count() <= MAX_LINES);
            let shown = text.lines().filter(|line| line.contains("a rule (detail")).count() as u64;
            let more = text.lines().last().and_then(|line| line.strip_prefix("  and ")?.strip_suffix(" more"));
            assert_eq!(shown + more.map_or(0, |more| more.parse::<u64>().unwrap()), count);
        }
        assert_eq!((report.findings.len(), report.count()), (MAX_FINDINGS, 2999));
        assert_eq!(report.findings[1].to_string(), "at offset 2: a rule (detail 2)");
    }
}
