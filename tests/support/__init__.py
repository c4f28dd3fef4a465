"""What tests share: certificates made for the run, real programs started and ended, real clients."""
