"""What the black-box tests share: private servers, the programs under test, an HTTP client, data sets."""
