// The pages that are looked at, and by whom.
//
// `as` are identities of the demo, or `nobody`; `status` is the answer's, 200 unless it is said. What is live is another text each
// time. `upload` is a file of docs/ that the page's form checks: what is looked at is what that answers.

'use strict';

const AREA = 'E10000014';
const INDICATOR = 'initial-contacts';
const AGENCY = 'portsmouth-childrens-services';
const ANALYST = 'analyst';
const OPERATOR = 'operator';
const SUBMITTER = 'portsmouth-childrens-services';
const CORRECTOR = 'portsmouth-data-lead';

const PAGES = [
  { name: 'home', path: '/', as: [ANALYST, SUBMITTER] },
  { name: 'sign-in', path: '/sign-in', as: ['nobody'] },
  { name: 'purpose', path: '/sign-in/purpose', as: [ANALYST] },
  { name: 'account', path: '/account', as: [ANALYST, SUBMITTER, OPERATOR] },
  { name: 'not-found', path: '/no-such-page', as: [ANALYST], status: 404 },
  { name: 'picture', path: `/picture?area=${AREA}&period=FY2021-22`, as: [ANALYST] },
  { name: 'picture-of-made-up-figures', path: '/picture?area=HIPS&period=FY2020-21', as: [ANALYST] },
  { name: 'picture-as-of', path: `/picture?area=${AREA}&period=FY2021-22&as_of_revision=6`, as: [ANALYST] },
  { name: 'picture-refused', path: '/picture?area=NOWHERE&period=2022', as: [ANALYST], status: 400 },
  { name: 'indicator', path: `/indicator?indicator=${INDICATOR}&area=${AREA}&from=FY2013-14&to=FY2021-22`, as: [ANALYST] },
  { name: 'indicators', path: '/indicator', as: [ANALYST, SUBMITTER] },
  { name: 'indicator-by-agency', path: `/indicator?indicator=children-missing&area=${AREA}&to=FY2021-22&by=agency`, as: [ANALYST] },
  { name: 'indicator-by-month', path: '/indicator?indicator=missing-episodes&area=HIPS&from=2020-04&to=2022-03&by=agency&rate=1&rank=1', as: [ANALYST] },
  { name: 'indicator-ranked', path: '/indicator?indicator=assessments-timely&area=E10000014&to=FY2021-22&rank=1', as: [ANALYST] },
  { name: 'indicator-by-category', path: `/indicator?indicator=missing-episodes&area=${AREA}&from=FY2021-22&to=FY2021-22&agency=hampshire-constabulary&by_dimension=sex`, as: [ANALYST] },
  { name: 'indicator-to-date', path: `/indicator?indicator=missing-episodes&area=${AREA}&from=2021-04&to=2022-03&agency=hampshire-constabulary&year_to_date=1`, as: [ANALYST] },
  { name: 'indicator-refused', path: `/indicator?indicator=${INDICATOR}&area=${AREA}&to=2022`, as: [ANALYST], status: 400 },
  { name: 'explain', path: `/explain?indicator=${INDICATOR}&area=${AREA}&period=FY2021-22`, as: [ANALYST] },
  { name: 'explain-partial', path: `/explain?indicator=ed-attendances-safeguarding-flag&area=${AREA}&period=FY2021-22`, as: [ANALYST] },
  { name: 'history', path: `/history?indicator=${INDICATOR}&agency=hampshire-childrens-services&area=${AREA}&period=FY2018-19`, as: [ANALYST] },
  { name: 'history-choice', path: `/history?indicator=children-missing&area=${AREA}&period=FY2021-22`, as: [ANALYST] },
  { name: 'due', path: `/due?agency=${AGENCY}`, as: [SUBMITTER, CORRECTOR] },
  { name: 'due-of-a-year', path: `/due?agency=${AGENCY}&period=FY2021-22`, as: [SUBMITTER, ANALYST] },
  { name: 'due-choice', path: '/due', as: [SUBMITTER, ANALYST] },
  { name: 'submit', path: '/submit', as: [SUBMITTER, CORRECTOR] },
  { name: 'submit-a-file', path: `/submit?agency=${AGENCY}`, as: [SUBMITTER, CORRECTOR] },
  { name: 'submit-problems', path: `/submit?agency=${AGENCY}`, upload: 'return-with-mistakes.xlsx', as: [SUBMITTER], status: 422 },
  { name: 'submit-preview', path: `/submit?agency=${AGENCY}`, upload: 'return.xlsx', as: [SUBMITTER, CORRECTOR] },
  { name: 'submission', path: `/submission?agency=${AGENCY}&request_id=demo-sample`, as: [SUBMITTER, CORRECTOR] },
  { name: 'withdraw', path: `/submission/withdraw?agency=${AGENCY}&request_id=demo-sample`, as: [SUBMITTER] },
  { name: 'submissions', path: `/submissions?agency=${AGENCY}`, as: [SUBMITTER, CORRECTOR] },
  { name: 'changes', path: '/changes', as: [ANALYST] },
  { name: 'changes-since', path: '/changes?after=3', as: [ANALYST] },
  { name: 'changes-of-one-indicator', path: `/changes?after=0&indicator=${INDICATOR}&area=${AREA}`, as: [ANALYST] },
  { name: 'catalogue', path: '/catalogue', as: [ANALYST, SUBMITTER] },
  { name: 'changes-refused', path: '/changes?after=x&area=NOWHERE', as: [ANALYST], status: 400 },
  { name: 'catalogue-refused', path: '/catalogue?day=31.3.2019', as: [ANALYST], status: 400 },
  { name: 'catalogue-on-a-day', path: '/catalogue?day=2019-03-31', as: [ANALYST] },
  { name: 'audit', path: '/audit', as: [OPERATOR], isLive: true },
  { name: 'audit-of-one', path: '/audit?identity=analyst&method=GetPicture&event=read&since=2026-01-01&refusals=1', as: [OPERATOR], isLive: true },
  { name: 'audit-refused', path: '/audit', as: [ANALYST, SUBMITTER], status: 403 },
  { name: 'keys', path: '/keys', as: [OPERATOR], isLive: true },
  { name: 'revoke', path: '/keys/revoke?identity=steward', as: [OPERATOR] },
  { name: 'keys-refused', path: '/keys', as: [ANALYST], status: 403 },
  { name: 'about', path: '/about', as: [ANALYST, OPERATOR], isLive: true },
  { name: 'accessibility', path: '/accessibility', as: ['nobody'] },
  { name: 'api', path: '/about/api', as: ['nobody'] },
  { name: 'api-of-a-service', path: '/about/api/KeyService', as: ['nobody'] },
];

// Of those, the ones that aren't served yet. A page that is there although it is named here is a fault.
const NOT_YET = new Set([
]);

module.exports = { PAGES, NOT_YET };
