"""The stack on AWS, as CDK constructs: one file a construct, composed in ``stack``, chosen by context in ``config``."""
