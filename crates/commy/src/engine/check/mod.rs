//! stub while the oracle is being written
pub(crate) fn check(_: &crate::region::Space) -> Report {
    Report { findings: vec![] }
}
/// r
#[derive(Debug)]
pub struct Report {
    /// f
    pub findings: Vec<Finding>,
}
/// f
#[derive(Debug)]
pub struct Finding;
impl Report {
    /// c
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}
impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "stub")
    }
}
