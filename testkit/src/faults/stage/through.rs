//! A scenario through a proxy.

use std::time::Duration;

use super::Stage;

impl Stage {
    /// The scenario by way of something that lets things go wrong until `stop` stops it; calls are answered
    /// within so long or given up. Answers how many calls arrived, and whether everything was as wanted before
    /// that was stopped.
    pub async fn tell_by_way_of(
        &mut self,
        endpoint: &str,
        longest: Duration,
        stop: impl Future<Output = ()>,
    ) -> Result<(usize, bool), String> {
        self.endpoint = endpoint.to_owned();
        self.go_back(None).await;
        self.begin_anew(longest).await;
        self.disturbed = true;
        let told = async {
            self.happen().await?;
            self.go_on_until_a_sweep().await?;
            let converged = self.expect_converged().is_ok();
            stop.await;
            self.disturbed = false;
            self.end().await?;
            Ok::<_, String>(converged)
        };
        let told = told.await;
        let name = self.scenario.name();
        let converged = told.map_err(|what| format!("{name}: {what}\n{}", self.listed()))?;
        Ok((self.calls.len(), converged))
    }
}
