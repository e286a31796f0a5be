"""Company sites that come in: domains, crawling, pages, and what the analysts make of them."""
