# Made by `make client` from the API's document: change the routes and models there.

"""All concepts of the API."""

from __future__ import annotations

from cadenza.client.api import Api
from cadenza.client.concepts.about import About
from cadenza.client.concepts.ai import Ai
from cadenza.client.concepts.api_keys import ApiKeys
from cadenza.client.concepts.approvals import Approvals
from cadenza.client.concepts.audit import Audit
from cadenza.client.concepts.automation import Automation
from cadenza.client.concepts.campaigns import Campaigns
from cadenza.client.concepts.consent import Consent
from cadenza.client.concepts.contacts import Contacts
from cadenza.client.concepts.dlqs import Dlqs
from cadenza.client.concepts.enrolments import Enrolments
from cadenza.client.concepts.imports import Imports
from cadenza.client.concepts.jobs import Jobs
from cadenza.client.concepts.lead_batches import LeadBatches
from cadenza.client.concepts.leads import Leads
from cadenza.client.concepts.plans import Plans
from cadenza.client.concepts.reports import Reports
from cadenza.client.concepts.retries import Retries
from cadenza.client.concepts.senders import Senders
from cadenza.client.concepts.suppressions import Suppressions
from cadenza.client.concepts.templates import Templates
from cadenza.client.concepts.workflows import Workflows


class Concepts:
    """The API, by concept."""

    def __init__(self, api: Api) -> None:
        self.about = About(api)
        self.ai = Ai(api)
        self.api_keys = ApiKeys(api)
        self.approvals = Approvals(api)
        self.audit = Audit(api)
        self.automation = Automation(api)
        self.campaigns = Campaigns(api)
        self.consent = Consent(api)
        self.contacts = Contacts(api)
        self.dlqs = Dlqs(api)
        self.enrolments = Enrolments(api)
        self.imports = Imports(api)
        self.jobs = Jobs(api)
        self.lead_batches = LeadBatches(api)
        self.leads = Leads(api)
        self.plans = Plans(api)
        self.reports = Reports(api)
        self.retries = Retries(api)
        self.senders = Senders(api)
        self.suppressions = Suppressions(api)
        self.templates = Templates(api)
        self.workflows = Workflows(api)
