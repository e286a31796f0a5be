"""What the internet is to Cadenza, on loopback: company sites, a crawl service, a mail provider, and its recipients."""
